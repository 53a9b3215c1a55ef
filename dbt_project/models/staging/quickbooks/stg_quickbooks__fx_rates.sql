{# Rates as the company quotes them, its own currency for one of the other; and turned round, for nobody else does. #}
with quoted as (
    select
        connection,
        from_currency,
        to_currency,
        rate,
        rate_date
    from {{ ref('base_quickbooks__exchangerate') }}
    where rate > 0
),

rates as (
    select
        connection,
        from_currency as from_currency_code,
        to_currency as to_currency_code,
        'company' as rate_type,
        'direct' as quoted_as,
        rate,
        1 as priority,
        rate_date
    from quoted
    union all
    select
        connection,
        to_currency,
        from_currency,
        'company',
        'indirect',
        cast(1 as numeric) / rate,
        1,
        rate_date
    from quoted
)

{{ select_contract('fx_rates', 'rates') }}
