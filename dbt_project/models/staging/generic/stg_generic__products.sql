with told as (
    {{ generic_rows('products', generic_columns('products')) }}
),

products as (
    select
        connection,
        product_id,
        coalesce(product_code, product_id) as product_code,
        gtin,
        coalesce(name, product_code, product_id) as name,
        family,
        unit,
        coalesce(is_stocked, false) as is_stocked,
        coalesce(is_liability, false) as is_liability,
        coalesce(is_active, true) as is_active
    from told
)

{{ select_contract('products', 'products') }}
