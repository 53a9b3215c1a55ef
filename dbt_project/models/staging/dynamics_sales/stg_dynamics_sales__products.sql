{# Products and bundles; a family is sold nowhere. #}
with products as (
    select
        connection,
        id as product_id,
        product_code,
        cast(null as {{ dbt.type_string() }}) as gtin,
        name,
        family,
        unit,
        is_stocked,
        false as is_liability,
        is_active
    from {{ ref('base_dynamics_sales__product') }}
    where coalesce(structure_code, 1) <> 2
)

{{ select_contract('products', 'products') }}
