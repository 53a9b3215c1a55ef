select
    _connection as connection,
    _key as record_key,
    id,
    opportunityid,
    product2id,
    productcode,
    name,
    currencyisocode,
    quantity,
    unitprice,
    listprice,
    discount,
    subtotal,
    totalprice,
    servicedate,
    createddate,
    lastmodifieddate,
    systemmodstamp,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('salesforce', 'salesforce__opportunitylineitem') }}
where _superseded_batch is null and not _is_deleted
