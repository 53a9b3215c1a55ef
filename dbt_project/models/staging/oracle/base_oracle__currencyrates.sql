select
    _connection as connection,
    _key as record_key,
    fromcurrency,
    tocurrency,
    userconversiontype,
    conversiontype,
    conversionrate,
    conversiondate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__currencyrates') }}
where _superseded_batch is null and not _is_deleted
