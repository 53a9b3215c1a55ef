select
    _connection as connection,
    _key as record_key,
    'Deposit-' || id as document_id,
    id,
    nullif(trim(docnumber), '') as document_number,
    txndate as document_date,
    currency as currency_code,
    exchangerate as exchange_rate,
    totalamt as total_amount,
    deposit_account,
    nullif(trim(privatenote), '') as memo,
    {{ quickbooks_is_void() }} as is_voided,
    createtime as created_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__deposit') }}
where _superseded_batch is null and not _is_deleted
