select
    _connection as connection,
    _key as record_key,
    id,
    product_id,
    title,
    nullif(trim(sku), '') as sku,
    barcode,
    is_tracked,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__variants') }}
where _superseded_batch is null and not _is_deleted
