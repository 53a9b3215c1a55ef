{#
  Months, by the dates of periods: their names are labels. Each ledger closes by itself; a month is closed when all have
  closed it. Application 101 is the ledger, 222 receivables. Adjusting periods share the month of their dates.
#}
with statuses as (
    select
        connection,
        {{ period_of('startdate') }} as period,
        periodname,
        applicationid,
        case when closingstatus in ('C', 'P') then 1 else 0 end as is_closed,
        startdate,
        enddate
    from {{ ref('base_oracle__accountingperiodstatuslov') }}
    where not coalesce(adjustmentperiodflag, false)
),

periods as (
    select
        connection,
        period,
        min(periodname) as source_id,
        min(periodname) as name,
        coalesce(min(case when applicationid = '101' then is_closed end), 0) = 1 as is_closed,
        coalesce(min(case when applicationid = '222' then is_closed end), 0) = 1 as is_ar_locked,
        min(startdate) as start_date,
        max(enddate) as end_date,
        cast(null as timestamp with time zone) as locked_at
    from statuses
    group by connection, period
)

{{ select_contract('fiscal_periods', 'periods') }}
