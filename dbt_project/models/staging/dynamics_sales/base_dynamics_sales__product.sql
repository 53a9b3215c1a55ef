select
    _connection as connection,
    _key as record_key,
    productid as id,
    productnumber as product_code,
    name,
    uom_name as unit,
    hierarchypath as family,
    productstructure as structure_code,
    producttypecode as type_code,
    isstockitem as is_stocked,
    coalesce(statecode, 0) <> 1 as is_active,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_sales', 'dynamics_sales__product') }}
where _superseded_batch is null and not _is_deleted
