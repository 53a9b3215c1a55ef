select
    _connection as connection,
    _key as record_key,
    id,
    name,
    nullif(trim(sku), '') as sku,
    type as type_code,
    parent,
    income_account,
    coalesce(active, true) as is_active,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__item') }}
where _superseded_batch is null and not _is_deleted
