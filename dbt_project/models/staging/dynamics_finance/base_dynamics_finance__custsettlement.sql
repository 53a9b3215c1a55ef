select
    _connection as connection,
    _key as record_key,
    cast(sourcekey as {{ dbt.type_string() }}) as id,
    cast(transrecid as {{ dbt.type_string() }}) as trans_id,
    cast(offsetrecid as {{ dbt.type_string() }}) as offset_id,
    settleamountcur as amount,
    utilizedcashdisc as discount_amount,
    transdate as applied_date,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__custsettlement') }}
where _superseded_batch is null and not _is_deleted
