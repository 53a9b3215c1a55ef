select
    _connection as connection,
    _key as record_key,
    organizationid as id,
    name,
    basecurrencyid as base_currency_id,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_sales', 'dynamics_sales__organization') }}
where _superseded_batch is null and not _is_deleted
