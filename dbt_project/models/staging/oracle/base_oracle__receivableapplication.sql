select
    _connection as connection,
    _key as record_key,
    arreceivableapplicationreceivableapplicationid,
    arreceivableapplicationapplicationtype,
    arreceivableapplicationcashreceiptid,
    arreceivableapplicationcustomertrxid,
    arreceivableapplicationappliedcustomertrxid,
    arreceivableapplicationstatus,
    arreceivableapplicationdisplay,
    arreceivableapplicationamountapplied,
    arreceivableapplicationapplydate,
    arreceivableapplicationlastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__receivableapplication') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('receivableapplication') }}
