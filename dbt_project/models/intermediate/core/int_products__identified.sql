{#
  The crosswalk of products: the same code is the same product, whatever its case; a record without a code is its
  own.
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
    connection,
    product_id,
    case
        when normalised_code is not null then {{ hash_key(["'product'", 'normalised_code']) }}
        else {{ hash_key(["'product'", 'connection', 'product_id']) }}
    end as product_key,
    normalised_code as product_code,
    gtin,
    name,
    family,
    unit,
    source_system,
    role,
    is_stocked,
    is_liability,
    is_active
from coded
