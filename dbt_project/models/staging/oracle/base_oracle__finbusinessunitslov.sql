select
    _connection as connection,
    _key as record_key,
    businessunitid as id,
    businessunitid,
    businessunitname,
    primaryledgerid,
    legalentityid,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__finbusinessunitslov') }}
where _superseded_batch is null and not _is_deleted
