select
    _connection as connection,
    _key as record_key,
    ledgerid as id,
    ledgerid,
    name,
    currencycode,
    chartofaccountsid,
    accountingcalendar,
    ledgercategorycode,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__ledgerslov') }}
where _superseded_batch is null and not _is_deleted
