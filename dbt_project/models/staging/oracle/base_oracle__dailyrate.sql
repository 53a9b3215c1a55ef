select
    _connection as connection,
    _key as record_key,
    dailyratefromcurrency,
    dailyratetocurrency,
    dailyrateconversiontype,
    dailyrateconversionrate,
    dailyrateconversiondate,
    dailyratelastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__dailyrate') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('dailyrate') }}
