select
    _connection as connection,
    _key as record_key,
    id,
    acctnumber,
    accttype,
    fullname,
    parent,
    currency,
    generalrate,
    sspecacct,
    issummary,
    isinactive,
    eliminate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__account') }}
where _superseded_batch is null and not _is_deleted
