{# Rates now: units of a currency per 1 of the base currency. No history is kept, so they count for all days, after others. #}
with base as (
    select
        organisation.connection,
        currency.id,
        currency.currency_code
    from {{ ref('base_dynamics_sales__organization') }} as organisation
    inner join {{ ref('base_dynamics_sales__transactioncurrency') }} as currency
        on organisation.connection = currency.connection and organisation.base_currency_id = currency.id
),

rates as (
    select
        currency.connection,
        base.currency_code as from_currency_code,
        currency.currency_code as to_currency_code,
        'current' as rate_type,
        'per base' as quoted_as,
        currency.exchange_rate as rate,
        3 as priority,
        cast('2015-01-01' as date) as rate_date
    from {{ ref('base_dynamics_sales__transactioncurrency') }} as currency
    inner join base on currency.connection = base.connection and currency.id <> base.id
    where currency.exchange_rate > 0
)

{{ select_contract('fx_rates', 'rates') }}
