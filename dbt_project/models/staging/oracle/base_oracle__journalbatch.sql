select
    _connection as connection,
    _key as record_key,
    journalbatchjebatchid,
    journalbatchname,
    journalbatchstatus,
    journalbatchjesource,
    'Journal' as type_code,
    journalbatchrunningtotalaccounteddr,
    journalbatchrunningtotalaccountedcr,
    coalesce(journalbatchjesource, '') <> 'Receivables' as is_document,
    journalbatchposteddate,
    journalbatchcreationdate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__journalbatch') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('journalbatch') }}
