{# A company is one legal entity: the connection's. #}
with entities as (
    select
        company.connection,
        {{ legal_entity('company.connection', 'cast(null as ' ~ dbt.type_string() ~ ')') }} as legal_entity_id,
        company.id as source_id,
        coalesce(company.legal_name, company.name) as name,
        {{ country_code('company.country', 'countries.country_code') }} as country_code,
        preferences.home_currency as functional_currency_code,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        coalesce(months.month_number, {{ var('company').group.fiscal_year_start_month }}) as fiscal_year_start_month,
        false as is_elimination
    from {{ ref('base_quickbooks__companyinfo') }} as company
    left join {{ ref('base_quickbooks__preferences') }} as preferences on company.connection = preferences.connection
    left join {{ ref('iso_countries') }} as countries on lower(company.country) = countries.country_name
    left join {{ ref('map_quickbooks_month') }} as months on company.fiscal_year_start = months.month_name
)

{{ select_contract('legal_entities', 'entities') }}
