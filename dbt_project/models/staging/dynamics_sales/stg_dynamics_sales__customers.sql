{# Accounts. What was merged away stays, deactivated: its deals were moved to the survivor. Deactivated is not deleted. #}
with customers as (
    select
        account.connection,
        account.id as customer_id,
        account.parent_id as parent_customer_id,
        account.name,
        cast(null as {{ dbt.type_string() }}) as legal_name,
        account.tax_id,
        {{ web_domain('account.website') }} as domain,
        account.email,
        account.phone,
        account.street,
        account.city,
        account.region,
        account.postal_code,
        {{ country_code('account.country', 'countries.country_code') }} as country_code,
        nullif(trim(account.erp_customer_id), '') as external_customer_id,
        false as is_person,
        false as is_intercompany,
        account.is_active and not account.is_merged as is_active,
        account.modified_at
    from {{ ref('base_dynamics_sales__account') }} as account
    left join {{ ref('iso_countries') }} as countries on lower(account.country) = countries.country_name
)

{{ select_contract('customers', 'customers') }}
