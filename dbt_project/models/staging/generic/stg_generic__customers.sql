with told as (
    {{ generic_rows('customers', generic_columns('customers', without=['modified_at'])) }}
),

customers as (
    select
        told.connection,
        told.customer_id,
        told.parent_customer_id,
        told.name,
        told.legal_name,
        told.tax_id,
        coalesce({{ web_domain('told.domain') }}, {{ mail_domain('told.email') }}) as domain,
        told.email,
        told.phone,
        told.street,
        told.city,
        told.region,
        told.postal_code,
        {{ country_code('told.country_code', 'countries.country_code') }} as country_code,
        told.external_customer_id,
        coalesce(told.is_person, false) as is_person,
        coalesce(told.is_intercompany, false) as is_intercompany,
        coalesce(told.is_active, true) as is_active,
        told.modified_at
    from told
    left join {{ ref('iso_countries') }} as countries on lower(told.country_code) = countries.country_name
)

{{ select_contract('customers', 'customers') }}
