select
    _connection as connection,
    _key as record_key,
    company as id,
    coalesce(home_currency, {{ connection_attribute('_connection', 'currency') }}) as home_currency,
    closed_until,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__preferences') }}
where _superseded_batch is null and not _is_deleted
