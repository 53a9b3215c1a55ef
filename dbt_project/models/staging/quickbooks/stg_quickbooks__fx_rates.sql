{# Rates as the company quotes them: its own currency for one of the other. #}
with rates as (
    select
        connection,
        from_currency as from_currency_code,
        to_currency as to_currency_code,
        'company' as rate_type,
        'direct' as quoted_as,
        rate,
        1 as priority,
        rate_date
    from {{ ref('base_quickbooks__exchangerate') }}
    where rate > 0
)

{{ select_contract('fx_rates', 'rates') }}
