{#
  The crosswalk of products: the same code is the same product, whatever its case; a record without a code is its own,
  unless matching found the one that it is (matching/products: GTIN, then text).
#}
with products as (
    {{ union_contract('products') }}
),

coded as (
    select
        *,
        {{ role_of('connection') }} as role,
        nullif(upper(trim(product_code)), '') as normalised_code
    from products
)

select
    coded.connection,
    coded.product_id,
    case
        when clusters.product_key is not null then clusters.product_key
        when coded.normalised_code is not null then {{ hash_key(["'product'", 'coded.normalised_code']) }}
        else {{ hash_key(["'product'", 'coded.connection', 'coded.product_id']) }}
    end as product_key,
    coded.normalised_code as product_code,
    coded.gtin,
    coded.name,
    coded.family,
    coded.unit,
    coded.source_system,
    coded.role,
    coded.is_stocked,
    coded.is_liability,
    coded.is_active
from coded
left join {{ source('identity', 'int_products__clustered') }} as clusters
    on coded.connection = clusters.connection and coded.product_id = clusters.product_id
