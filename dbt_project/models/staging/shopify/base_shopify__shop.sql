select
    _connection as connection,
    _key as record_key,
    id,
    name,
    domain,
    currency,
    time_zone,
    taxes_included,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__shop') }}
where _superseded_batch is null and not _is_deleted
