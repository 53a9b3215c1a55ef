select
    _connection as connection,
    _key as record_key,
    id,
    orderitemnumber,
    orderid,
    product2id,
    originalorderitemid,
    currencyisocode,
    quantity,
    unitprice,
    listprice,
    totalprice,
    servicedate,
    enddate,
    createddate,
    lastmodifieddate,
    systemmodstamp,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('salesforce', 'salesforce__orderitem') }}
where _superseded_batch is null and not _is_deleted
