select
    _connection as connection,
    _key as record_key,
    distributionid,
    customertransactionid,
    accountclass,
    accountcombination,
    detailedtaxlinenumber,
    amount,
    accountedamount,
    percent,
    creditmemolinenumber,
    accountingdate,
    creationdate,
    lastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__receivablescreditmemodistributions') }}
where _superseded_batch is null and not _is_deleted
