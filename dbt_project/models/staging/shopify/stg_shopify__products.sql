{# Variants are what is sold. A gift card is a liability until it is redeemed. #}
with products as (
    select
        variant.connection,
        variant.id as product_id,
        variant.sku as product_code,
        variant.barcode as gtin,
        case
            when coalesce(variant.title, 'Default Title') = 'Default Title' then product.title
            else product.title || ' ' || variant.title
        end as name,
        product.product_type as family,
        cast(null as {{ dbt.type_string() }}) as unit,
        coalesce(variant.is_tracked, false) as is_stocked,
        coalesce(product.is_gift_card, false) as is_liability,
        coalesce(product.status, '') = 'ACTIVE' as is_active
    from {{ ref('base_shopify__variants') }} as variant
    left join {{ ref('base_shopify__products') }} as product
        on variant.connection = product.connection and variant.product_id = product.id
)

{{ select_contract('products', 'products') }}
