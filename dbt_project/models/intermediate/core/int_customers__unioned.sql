{# Every customer record of every system, as identity matching reads them, before anything else is built. #}
{{ config(materialized='view', tags=['settled']) }}

with customers as (
    {{ union_contract('customers') }}
)

select
    *,
    {{ role_of('connection') }} as role
from customers
