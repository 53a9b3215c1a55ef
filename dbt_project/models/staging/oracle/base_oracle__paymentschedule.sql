select
    _connection as connection,
    _key as record_key,
    arpaymentschedulepaymentscheduleid,
    arpaymentschedulecustomertrxid,
    arpaymentscheduleamountdueoriginal,
    arpaymentscheduleamountdueremaining,
    arpaymentscheduleduedate,
    arpaymentschedulelastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__paymentschedule') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('paymentschedule') }}
