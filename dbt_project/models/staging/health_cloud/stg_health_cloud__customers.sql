{# Who pays: payers, employers, providers. Persons are not here, and nothing of theirs is. #}
with customers as (
    select
        account.connection,
        account.id as customer_id,
        account.parentid as parent_customer_id,
        account.name,
        cast(null as {{ dbt.type_string() }}) as legal_name,
        account.tax_id,
        {{ web_domain('account.website') }} as domain,
        cast(null as {{ dbt.type_string() }}) as email,
        cast(null as {{ dbt.type_string() }}) as phone,
        account.billingstreet as street,
        account.billingcity as city,
        account.billingstate as region,
        account.billingpostalcode as postal_code,
        {{ country_code('coalesce(account.billingcountrycode, account.billingcountry)', 'countries.country_code') }}
            as country_code,
        nullif(trim(account.erp_customer_id), '') as external_customer_id,
        false as is_person,
        false as is_intercompany,
        true as is_active,
        account.modified_at
    from {{ ref('base_health_cloud__account') }} as account
    left join {{ ref('iso_countries') }} as countries
        on lower(coalesce(account.billingcountrycode, account.billingcountry)) = countries.country_name
)

{{ select_contract('customers', 'customers') }}
