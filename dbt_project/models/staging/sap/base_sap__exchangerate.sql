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
