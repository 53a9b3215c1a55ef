select
    _connection as connection,
    _key as record_key,
    upper(legalentityid) as id,
    ledgerrecid as ledger_id,
    accountingcurrency as currency,
    exchangeratetype as rate_type,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__ledgers') }}
where _superseded_batch is null and not _is_deleted
