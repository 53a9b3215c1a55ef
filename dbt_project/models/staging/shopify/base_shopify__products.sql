select
    _connection as connection,
    _key as record_key,
    id,
    title,
    status,
    product_type,
    is_gift_card,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__products') }}
where _superseded_batch is null and not _is_deleted
