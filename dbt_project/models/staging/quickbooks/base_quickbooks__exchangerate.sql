select
    _connection as connection,
    _key as record_key,
    sourcecurrencycode as from_currency,
    targetcurrencycode as to_currency,
    rate,
    asofdate as rate_date,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__exchangerate') }}
where _superseded_batch is null and not _is_deleted
