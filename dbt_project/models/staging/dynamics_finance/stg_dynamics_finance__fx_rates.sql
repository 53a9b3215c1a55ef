{# Rates of the types that ledgers use, for one unit. Where only the other direction is kept, it is turned round. #}
with kept as (
    select
        rate.connection,
        rate.rate_type,
        rate.from_currency,
        rate.to_currency,
        rate.rate / rate.factor as rate,
        rate.valid_from
    from {{ ref('base_dynamics_finance__exchangerates') }} as rate
    where
        rate.rate > 0 and rate.factor is not null
        and exists (
            select 1
            from {{ ref('base_dynamics_finance__ledgers') }} as ledger
            where ledger.connection = rate.connection and ledger.rate_type = rate.rate_type
        )
),

-- Which directions are kept: a few rows, so that looking for the other one of each quote costs nothing.
directions as (
    select distinct connection, rate_type, from_currency, to_currency
    from kept
),

rates as (
    select
        connection,
        from_currency as from_currency_code,
        to_currency as to_currency_code,
        rate_type,
        'direct' as quoted_as,
        rate,
        1 as priority,
        valid_from as rate_date
    from kept
    union all
    select
        kept.connection,
        kept.to_currency,
        kept.from_currency,
        kept.rate_type,
        'indirect',
        cast(1 as numeric) / kept.rate,
        1,
        kept.valid_from
    from kept
    left join directions as other
        on
            kept.connection = other.connection
            and kept.rate_type = other.rate_type
            and kept.from_currency = other.to_currency
            and kept.to_currency = other.from_currency
    where other.connection is null
)

{{ select_contract('fx_rates', 'rates') }}
