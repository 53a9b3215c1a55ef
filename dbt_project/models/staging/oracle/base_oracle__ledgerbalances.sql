select
    _connection as connection,
    _key as record_key,
    ledgername,
    periodname,
    currency,
    accountcombination,
    detailaccountcombination,
    amounttype,
    currencytype,
    scenario,
    errordetail,
    beginningbalance,
    periodactivity,
    endingbalance,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__ledgerbalances') }}
where _superseded_batch is null and not _is_deleted
