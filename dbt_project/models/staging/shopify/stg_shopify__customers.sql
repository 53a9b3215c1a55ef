{# Customers. Of a company the address says its name; a guest has no record, and its orders have no customer. #}
with customers as (
    select
        customer.connection,
        customer.id as customer_id,
        cast(null as {{ dbt.type_string() }}) as parent_customer_id,
        coalesce(customer.company, customer.display_name) as name,
        cast(null as {{ dbt.type_string() }}) as legal_name,
        customer.tax_id,
        {{ mail_domain('customer.email') }} as domain,
        customer.email,
        customer.phone,
        customer.street,
        customer.city,
        customer.region,
        customer.postal_code,
        {{ country_code('customer.country', 'countries.country_code') }} as country_code,
        customer.erp_customer_id as external_customer_id,
        customer.company is null as is_person,
        false as is_intercompany,
        coalesce(customer.state, '') <> 'DECLINED' as is_active,
        customer.modified_at
    from {{ ref('base_shopify__customers') }} as customer
    left join {{ ref('iso_countries') }} as countries on lower(customer.country) = countries.country_name
)

{{ select_contract('customers', 'customers') }}
