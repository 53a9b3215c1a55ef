{# Every product record of every system, as matching reads them, before anything else is built. #}
{{ config(materialized='view', tags=['settled']) }}

with products as (
    {{ union_contract('products') }}
)

select
    connection,
    product_id,
    product_code,
    gtin,
    name,
    {{ role_of('connection') }} as role
from products
