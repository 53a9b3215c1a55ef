select
    _connection as connection,
    _key as record_key,
    month as period,
    account as account_id,
    account_name,
    date as posting_date,
    transaction_type,
    transaction as transaction_id,
    coalesce(debit, 0) - coalesce(credit, 0) as functional_amount,
    currency as currency_code,
    basis,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__generalledger') }}
where _superseded_batch is null and not _is_deleted
