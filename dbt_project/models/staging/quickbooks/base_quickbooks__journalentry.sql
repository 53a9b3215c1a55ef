select
    _connection as connection,
    _key as record_key,
    'JournalEntry-' || id as document_id,
    id,
    nullif(trim(docnumber), '') as document_number,
    txndate as document_date,
    currency as currency_code,
    exchangerate as exchange_rate,
    coalesce(homecurrencyadjustment, false) as is_home_only,
    createtime as created_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__journalentry') }}
where _superseded_batch is null and not _is_deleted
