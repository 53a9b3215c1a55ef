select
    _connection as connection,
    _key as record_key,
    applicationid,
    accountid,
    standardreceiptid,
    receiptnumber,
    enteredcurrency,
    applicationstatus,
    processstatus,
    referencetransactionid,
    referencetransactionnumber,
    referencetransactionstatus,
    referenceinstallmentid,
    applicationamount,
    upper(islatestapplication) in ('Y', 'TRUE', 'T', '1') as islatestapplication,
    applicationdate,
    accountingdate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__standardreceiptapplications') }}
where _superseded_batch is null and not _is_deleted
