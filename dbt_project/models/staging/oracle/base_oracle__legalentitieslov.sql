select
    _connection as connection,
    _key as record_key,
    legalentityid as id,
    legalentityid,
    name,
    legalentityidentifier,
    country,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__legalentitieslov') }}
where _superseded_batch is null and not _is_deleted
