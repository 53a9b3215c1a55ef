select
    _connection as connection,
    _key as record_key,
    nkey,
    addr1,
    city,
    state,
    zip,
    country,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__customeraddressbookentityaddress') }}
where _superseded_batch is null and not _is_deleted
