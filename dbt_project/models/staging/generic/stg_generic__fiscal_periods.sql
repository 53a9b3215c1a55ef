with told as (
    {{ generic_rows('fiscal_periods', generic_columns('fiscal_periods')) }}
),

periods as (
    select
        connection,
        coalesce(period, {{ period_of('start_date') }}) as period,
        source_id,
        coalesce(name, source_id) as name,
        coalesce(is_closed, false) as is_closed,
        coalesce(is_ar_locked, false) as is_ar_locked,
        start_date,
        end_date,
        locked_at
    from told
)

{{ select_contract('fiscal_periods', 'periods') }}
