select
    _connection as connection,
    _key as record_key,
    id,
    order_id,
    agreement_id,
    happened_at,
    reason,
    action_type,
    line_type,
    quantity,
    line_item_id,
    total_shop,
    total_paid,
    tax_shop,
    tax_paid,
    discount_shop,
    discount_paid,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__sales') }}
where _superseded_batch is null and not _is_deleted
