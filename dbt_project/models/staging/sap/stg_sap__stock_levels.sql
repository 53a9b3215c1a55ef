{# Unrestricted stock (type 01) of one's own, by material and plant, on the day on which it was told. #}
with levels as (
    select
        connection,
        product_id,
        plant as place_id,
        plant as place_name,
        unit,
        sum(quantity) as quantity,
        max(landed_date) as as_of_date,
        max(modified_at) as modified_at,
        max(batch_id) as batch_id
    from {{ ref('base_sap__stock') }}
    where stock_type = '01' and special_stock_type is null and plant is not null
    group by connection, product_id, plant, unit
)

select
    cast(connection as {{ dbt.type_string() }}) as connection,
    cast(product_id as {{ dbt.type_string() }}) as product_id,
    cast(place_id as {{ dbt.type_string() }}) as place_id,
    cast(place_name as {{ dbt.type_string() }}) as place_name,
    cast(quantity as numeric(28, 6)) as quantity,
    cast(unit as {{ dbt.type_string() }}) as unit,
    cast(as_of_date as date) as as_of_date,
    cast(modified_at as timestamp with time zone) as modified_at,
    cast(batch_id as bigint) as batch_id
from levels
