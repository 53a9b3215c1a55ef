{# One row a party: the same customer in every company. A party that is a company of the group is a sister. #}
with accounts as (
    select
        customer.*,
        row_number() over (partition by customer.connection, customer.party_number order by customer.company, customer.account)
            as choice,
        max(case when customer.is_active then 1 else 0 end) over (partition by customer.connection, customer.party_number)
            as any_active
    from {{ ref('base_dynamics_finance__customers') }} as customer
),

customers as (
    select
        account.connection,
        account.party_number as customer_id,
        cast(null as {{ dbt.type_string() }}) as parent_customer_id,
        coalesce(account.name, account.party_number) as name,
        cast(null as {{ dbt.type_string() }}) as legal_name,
        account.tax_id,
        {{ mail_domain('account.email') }} as domain,
        account.email,
        account.phone,
        account.street,
        account.city,
        account.region,
        account.postal_code,
        {{ country_code('account.country', 'countries.country_code') }} as country_code,
        account.external_id as external_customer_id,
        account.is_person,
        sister.id is not null as is_intercompany,
        account.any_active = 1 as is_active,
        account.modified_at
    from accounts as account
    left join {{ ref('base_dynamics_finance__legalentities') }} as sister
        on account.connection = sister.connection and account.party_number = sister.party_number
    left join {{ ref('iso_countries') }} as countries on lower(account.country) = countries.country_name
    where account.choice = 1
)

{{ select_contract('customers', 'customers') }}
