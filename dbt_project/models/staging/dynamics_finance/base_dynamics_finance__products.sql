select
    _connection as connection,
    _key as record_key,
    upper(dataareaid) as company,
    itemnumber as id,
    itemnumber as product_code,
    coalesce(nullif(trim(searchname), ''), itemnumber) as name,
    nullif(trim(productgroupid), '') as family,
    nullif(trim(salesunitsymbol), '') as unit,
    coalesce(producttype, '') = 'Item' as is_stocked,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__products') }}
where _superseded_batch is null and not _is_deleted
