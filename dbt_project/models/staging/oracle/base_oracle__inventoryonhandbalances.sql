select
    _connection as connection,
    _key as record_key,
    uniqid,
    organizationcode,
    itemnumber,
    subinventorycode,
    lotnumber,
    locator,
    primaryuomcode,
    primaryonhandquantity,
    _landed_at as landed_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__inventoryonhandbalances') }}
where _superseded_batch is null and not _is_deleted
