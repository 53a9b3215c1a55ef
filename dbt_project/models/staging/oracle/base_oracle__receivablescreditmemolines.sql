select
    _connection as connection,
    _key as record_key,
    customertransactionlineid,
    customertransactionid,
    linedescription,
    itemnumber,
    memoline,
    unitofmeasure,
    linecreditreason,
    taxclassificationcode,
    linenumber,
    linequantitycredit,
    unitsellingprice,
    lineamountcredit,
    linefreightcreditamount,
    creationdate,
    lastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__receivablescreditmemolines') }}
where _superseded_batch is null and not _is_deleted
