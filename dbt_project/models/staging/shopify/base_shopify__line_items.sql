select
    _connection as connection,
    _key as record_key,
    id,
    order_id,
    name,
    nullif(trim(sku), '') as sku,
    quantity,
    current_quantity,
    is_gift_card,
    product_id,
    variant_id,
    original_total_shop,
    discounted_total_shop,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__line_items') }}
where _superseded_batch is null and not _is_deleted
