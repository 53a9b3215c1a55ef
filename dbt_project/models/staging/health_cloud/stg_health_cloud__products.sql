with products as (
    select
        connection,
        id as product_id,
        productcode as product_code,
        cast(null as {{ dbt.type_string() }}) as gtin,
        name,
        family,
        quantityunitofmeasure as unit,
        cast(null as boolean) as is_stocked,
        false as is_liability,
        coalesce(isactive, true) as is_active
    from {{ ref('base_health_cloud__product2') }}
)

{{ select_contract('products', 'products') }}
