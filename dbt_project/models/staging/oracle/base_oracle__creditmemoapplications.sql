select
    _connection as connection,
    _key as record_key,
    applicationid,
    accountid,
    creditmemoid,
    creditmemonumber,
    enteredcurrency,
    applicationstatus,
    referencetransactionid,
    referencetransactionnumber,
    applicationamount,
    upper(islatestapplication) in ('Y', 'TRUE', 'T', '1') as islatestapplication,
    applicationdate,
    accountingdate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__creditmemoapplications') }}
where _superseded_batch is null and not _is_deleted
