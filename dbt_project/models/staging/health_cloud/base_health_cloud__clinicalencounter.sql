select
    _connection as connection,
    _key as record_key,
    id,
    patientid,
    caseid,
    status,
    category,
    currencyisocode,
    sourcesystem,
    sourcesystemidentifier,
    erp_order_id,
    startdate,
    enddate,
    sourcesystemmodified,
    createddate,
    lastmodifieddate,
    systemmodstamp,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('health_cloud', 'health_cloud__clinicalencounter') }}
where _superseded_batch is null and not _is_deleted
