{# Products and services. A category is no product. #}
with products as (
    select
        connection,
        id as product_id,
        coalesce(sku, name) as product_code,
        cast(null as {{ dbt.type_string() }}) as gtin,
        name,
        cast(null as {{ dbt.type_string() }}) as family,
        cast(null as {{ dbt.type_string() }}) as unit,
        type_code = 'Inventory' as is_stocked,
        false as is_liability,
        is_active
    from {{ ref('base_quickbooks__item') }}
    where type_code <> 'Category'
)

{{ select_contract('products', 'products') }}
