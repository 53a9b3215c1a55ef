select
    _connection as connection,
    _key as record_key,
    jebatchid,
    batchname,
    defaultperiodname,
    status,
    userjesourcename,
    'Journal' as type_code,
    runningtotalaccounteddr,
    runningtotalaccountedcr,
    coalesce(userjesourcename, '') <> 'Receivables' as is_document,
    posteddate,
    creationdate,
    lastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__journalbatches') }}
where _superseded_batch is null and not _is_deleted
