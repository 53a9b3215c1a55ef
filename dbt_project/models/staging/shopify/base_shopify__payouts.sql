select
    _connection as connection,
    _key as record_key,
    id,
    issued_at,
    status,
    transaction_type,
    business_entity_id,
    net,
    currency,
    charges_gross,
    charges_fee,
    refunds_gross,
    refunds_fee,
    adjustments_gross,
    adjustments_fee,
    reserved_gross,
    reserved_fee,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__payouts') }}
where _superseded_batch is null and not _is_deleted
