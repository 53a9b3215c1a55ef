select
    _connection as connection,
    _key as record_key,
    account as account_id,
    account_name,
    section,
    start_date,
    amount,
    currency as currency_code,
    basis,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__profitandloss') }}
where _superseded_batch is null and not _is_deleted
