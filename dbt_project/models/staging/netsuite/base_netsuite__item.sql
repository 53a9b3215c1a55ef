select
    _connection as connection,
    _key as record_key,
    id,
    itemid,
    fullname,
    displayname,
    itemtype,
    subtype,
    upccode,
    parent,
    class,
    incomeaccount,
    deferralaccount,
    isinactive,
    createddate,
    lastmodifieddate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__item') }}
where _superseded_batch is null and not _is_deleted
