select
    _connection as connection,
    _key as record_key,
    id,
    order_id,
    created_at,
    processed_at,
    return_id,
    refunded_shop,
    refunded_paid,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__refunds') }}
where _superseded_batch is null and not _is_deleted
