{# One row an item: products are released to each company under the same number. #}
with items as (
    select
        product.*,
        row_number() over (partition by product.connection, product.id order by product.company) as choice
    from {{ ref('base_dynamics_finance__products') }} as product
),

products as (
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
        true as is_active
    from items
    where choice = 1
)

{{ select_contract('products', 'products') }}
