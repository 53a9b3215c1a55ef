select
    _connection as connection,
    _key as record_key,
    id,
    isocode,
    conversionrate,
    decimalplaces,
    isactive,
    iscorporate,
    systemmodstamp,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('salesforce', 'salesforce__currencytype') }}
where _superseded_batch is null and not _is_deleted
