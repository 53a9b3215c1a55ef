select
    _connection as connection,
    _key as record_key,
    itemid,
    organizationcode,
    itemnumber,
    itemdescription,
    itemstatusvalue,
    primaryuomvalue,
    itemclass,
    upper(inventoryitemflag) in ('Y', 'TRUE', 'T', '1') as inventoryitemflag,
    lastupdatedatetime,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__itemsv2') }}
where _superseded_batch is null and not _is_deleted
