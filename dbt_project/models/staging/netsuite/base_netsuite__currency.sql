select
    _connection as connection,
    _key as record_key,
    id,
    symbol,
    name,
    currencyprecision,
    exchangerate,
    isbasecurrency,
    isinactive,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__currency') }}
where _superseded_batch is null and not _is_deleted
