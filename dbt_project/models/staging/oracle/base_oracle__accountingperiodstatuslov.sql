select
    _connection as connection,
    _key as record_key,
    applicationid,
    ledgerid,
    periodname,
    closingstatus,
    upper(adjustmentperiodflag) in ('Y', 'TRUE', 'T', '1') as adjustmentperiodflag,
    startdate,
    enddate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__accountingperiodstatuslov') }}
where _superseded_batch is null and not _is_deleted
