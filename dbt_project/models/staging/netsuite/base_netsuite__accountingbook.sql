select
    _connection as connection,
    _key as record_key,
    id,
    name,
    isprimary,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__accountingbook') }}
where _superseded_batch is null and not _is_deleted
