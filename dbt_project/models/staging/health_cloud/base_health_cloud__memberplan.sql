select
    _connection as connection,
    _key as record_key,
    id,
    memberid,
    subscriberid,
    payerid,
    planid,
    primarysecondarytertiary,
    status,
    verificationstatus,
    priorityorder,
    effectivefrom,
    effectiveto,
    sourcesystemmodified,
    createddate,
    lastmodifieddate,
    systemmodstamp,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('health_cloud', 'health_cloud__memberplan') }}
where _superseded_batch is null and not _is_deleted
