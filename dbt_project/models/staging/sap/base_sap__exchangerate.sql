select
    _connection as connection,
    _key as record_key,
    exchangeratetype as rate_type,
    sourcecurrency as source_currency,
    targetcurrency as target_currency,
    exchangerate as quoted_rate,
    coalesce(nullif(numberofsourcecurrencyunits, 0), 1) as source_units,
    coalesce(nullif(numberoftargetcurrencyunits, 0), 1) as target_units,
    validitystartdate as valid_from,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__i_exchangeraterawdata') }}
where _superseded_batch is null and not _is_deleted

union all

select
    quote._connection as connection,
    quote._key as record_key,
    quote.kurst as rate_type,
    quote.fcurr as source_currency,
    quote.tcurr as target_currency,
    quote.ukurs as quoted_rate,
    coalesce(nullif(coalesce(factor.ffact, quote.ffact), 0), 1) as source_units,
    coalesce(nullif(coalesce(factor.tfact, quote.tfact), 0), 1) as target_units,
    {{ sap_inverted_date('quote.gdatu') }} as valid_from,
    quote._modified_at as modified_at,
    quote._batch_id as batch_id
from {{ source('sap', 'sap_tables__tcurr') }} as quote
left join (
    select
        _connection,
        kurst,
        fcurr,
        tcurr,
        ffact,
        tfact,
        gdatu as first_day,
        lag(gdatu) over (partition by _connection, kurst, fcurr, tcurr order by gdatu) as next_first_day,
        lead(gdatu) over (partition by _connection, kurst, fcurr, tcurr order by gdatu) is null as is_oldest
    from {{ source('sap', 'sap_tables__tcurf') }}
    where _superseded_batch is null and not _is_deleted
) as factor
    -- Inverted days: the younger, the smaller. Factors hold from their day to the next one's; the oldest also before it.
    on
        quote._connection = factor._connection
        and quote.kurst = factor.kurst
        and quote.fcurr = factor.fcurr
        and quote.tcurr = factor.tcurr
        and (quote.gdatu <= factor.first_day or factor.is_oldest)
        and (factor.next_first_day is null or quote.gdatu > factor.next_first_day)
where quote._superseded_batch is null and not quote._is_deleted
