select
    _connection as connection,
    _key as record_key,
    id,
    payout_id,
    type as movement_type,
    is_test,
    transaction_date,
    amount,
    fee,
    net,
    currency,
    source_transaction_id,
    order_id,
    order_name,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__balance_transactions') }}
where _superseded_batch is null and not _is_deleted
