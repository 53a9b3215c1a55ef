select
    _connection as connection,
    _key as record_key,
    id,
    periodname,
    parent,
    isposting,
    isadjust,
    isquarter,
    isyear,
    closed,
    arlocked,
    alllocked,
    startdate,
    enddate,
    closedondate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__accountingperiod') }}
where _superseded_batch is null and not _is_deleted
