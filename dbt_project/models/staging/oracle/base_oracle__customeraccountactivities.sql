select
    _connection as connection,
    _key as record_key,
    accountid,
    accountnumber,
    customerid,
    customername,
    totalopenreceivablesforaccount,
    totaltransactionsdueforaccount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__receivablescustomeraccountactivities') }}
where _superseded_batch is null and not _is_deleted
