select
    _connection as connection,
    _key as record_key,
    internalid,
    entity,
    addressbookaddress,
    defaultbilling,
    defaultshipping,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__customeraddressbook') }}
where _superseded_batch is null and not _is_deleted
