select
    _connection as connection,
    _key as record_key,
    transactioncurrencyid as id,
    isocurrencycode as currency_code,
    exchangerate as exchange_rate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_sales', 'dynamics_sales__transactioncurrency') }}
where _superseded_batch is null and not _is_deleted
