select
    _connection as connection,
    _key as record_key,
    cast(mainaccountrecid as {{ dbt.type_string() }}) as id,
    mainaccountid as account_code,
    chartofaccounts as chart,
    name,
    mainaccounttype as account_type,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__mainaccounts') }}
where _superseded_batch is null and not _is_deleted
