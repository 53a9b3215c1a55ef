select
    _connection as connection,
    _key as record_key,
    'Payment-' || id as document_id,
    id,
    txndate as document_date,
    customer as customer_id,
    currency as currency_code,
    exchangerate as exchange_rate,
    totalamt as total_amount,
    coalesce(unappliedamt, 0) as unapplied_amount,
    nullif(trim(paymentrefnum), '') as reference,
    receivable_account,
    deposit_account,
    {{ quickbooks_is_void() }} as is_voided,
    createtime as created_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__payment') }}
where _superseded_batch is null and not _is_deleted
