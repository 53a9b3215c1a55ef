select
    _connection as connection,
    _key as record_key,
    id,
    claimid,
    currencyisocode,
    paymentidentifier,
    paymentstatus,
    paymentamount,
    paymentdate,
    cancellationdate,
    createddate,
    lastmodifieddate,
    systemmodstamp,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('health_cloud', 'health_cloud__claimpaymentsummary') }}
where _superseded_batch is null and not _is_deleted
