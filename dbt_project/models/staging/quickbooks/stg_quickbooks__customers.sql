{# Customers; a job is one of its own, below its customer. One without a company's name is a person. #}
with customers as (
    select
        customer.connection,
        customer.id as customer_id,
        customer.parent as parent_customer_id,
        customer.name,
        cast(null as {{ dbt.type_string() }}) as legal_name,
        customer.tax_id,
        coalesce({{ web_domain('customer.web') }}, {{ mail_domain('customer.email') }}) as domain,
        customer.email,
        customer.phone,
        customer.street,
        customer.city,
        customer.region,
        customer.postal_code,
        {{ country_code('customer.country', 'countries.country_code') }} as country_code,
        customer.external_id as external_customer_id,
        customer.is_person,
        false as is_intercompany,
        customer.is_active,
        customer.modified_at
    from {{ ref('base_quickbooks__customer') }} as customer
    left join {{ ref('iso_countries') }} as countries on lower(customer.country) = countries.country_name
)

{{ select_contract('customers', 'customers') }}
