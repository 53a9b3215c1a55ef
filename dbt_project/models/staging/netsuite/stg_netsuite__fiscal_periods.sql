{#
  Leaves of the period tree: neither quarter nor year. Adjustment periods share the month of their dates and are
  left out.
#}
with periods as (
    select
        connection,
        {{ period_of('startdate') }} as period,
        id as source_id,
        periodname as name,
        coalesce(closed, false) as is_closed,
        coalesce(arlocked, false) or coalesce(alllocked, false) as is_ar_locked,
        startdate as start_date,
        enddate as end_date,
        case when coalesce(closed, false) or coalesce(arlocked, false) or coalesce(alllocked, false) then closedondate end
            as locked_at
    from {{ ref('base_netsuite__accountingperiod') }}
    where not coalesce(isquarter, false) and not coalesce(isyear, false) and not coalesce(isadjust, false)
)

{{ select_contract('fiscal_periods', 'periods') }}
