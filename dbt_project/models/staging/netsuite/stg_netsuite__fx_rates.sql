{# currencyrate: base currency per 1 of the transaction's currency, so from = transaction, to = base. #}
with rates as (
    select
        quote.connection,
        source.symbol as from_currency_code,
        target.symbol as to_currency_code,
        'day' as rate_type,
        'base per transaction' as quoted_as,
        quote.exchangerate as rate,
        1 as priority,
        quote.effectivedate as rate_date
    from {{ ref('base_netsuite__currencyrate') }} as quote
    inner join {{ ref('base_netsuite__currency') }} as source
        on quote.connection = source.connection and quote.transactioncurrency = source.record_key
    inner join {{ ref('base_netsuite__currency') }} as target
        on quote.connection = target.connection and quote.basecurrency = target.record_key
)

{{ select_contract('fx_rates', 'rates') }}
