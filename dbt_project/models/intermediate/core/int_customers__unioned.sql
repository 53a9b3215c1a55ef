{# Every customer record of every system, as identity matching reads them, before anything else is built. #}
{{ config(materialized='view', tags=['settled']) }}

with customers as (
    {{ union_contract('customers') }}
)

select
    connection,
    customer_id,
    {{ role_of('connection') }} as role,
    name,
    legal_name,
    tax_id,
    domain,
    email,
    phone,
    street,
    city,
    postal_code,
    country_code,
    external_customer_id,
    parent_customer_id,
    coalesce(is_person, false) as is_person
from customers
