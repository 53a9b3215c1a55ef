select
    _connection as connection,
    _key as record_key,
    id,
    order_id,
    kind,
    status,
    gateway,
    is_test,
    coalesce(processed_at, created_at) as processed_at,
    parent_id,
    payment_id,
    amount_shop,
    amount_paid,
    currency_paid,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__transactions') }}
where _superseded_batch is null and not _is_deleted
