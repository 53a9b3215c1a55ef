select
    _connection as connection,
    _key as record_key,
    partyid,
    partynumber,
    organizationname,
    partystatus,
    taxpayeridentificationnumber,
    primaryemail,
    phonenumber,
    url,
    addressline1,
    city,
    state,
    postalcode,
    country,
    parentpartyid,
    sourcesystemreference,
    creationdate,
    lastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__accounts') }}
where _superseded_batch is null and not _is_deleted
