select
    _connection as connection,
    _key as record_key,
    id,
    order_id,
    sale_id,
    title,
    rate,
    is_channel_liable,
    amount_shop,
    amount_paid,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__sale_taxes') }}
where _superseded_batch is null and not _is_deleted
