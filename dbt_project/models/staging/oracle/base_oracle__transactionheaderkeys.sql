select
    _connection as connection,
    _key as record_key,
    racustomertrxcustomertrxid,
    _is_deleted as is_deleted,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__transactionheaderkeys') }}
where _superseded_batch is null
