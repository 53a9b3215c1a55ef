select
    _connection as connection,
    _key as record_key,
    headerid,
    lineid,
    fulfilllineid,
    productnumber,
    ordereduom,
    accountingrule,
    invoicingrule,
    statuscode,
    orderedquantity,
    unitsellingprice,
    extendedamount,
    upper(canceledflag) in ('Y', 'TRUE', 'T', '1') as canceledflag,
    fulfillmentactualdate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__salesorderlines') }}
where _superseded_batch is null and not _is_deleted
