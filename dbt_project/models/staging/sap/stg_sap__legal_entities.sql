{# Company codes. SAP's hierarchy of companies is not served: no parent. #}
with entities as (
    select
        connection,
        {{ legal_entity('connection', 'id') }} as legal_entity_id,
        id as source_id,
        name,
        upper(country) as country_code,
        currency as functional_currency_code,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        {{ var('company').group.fiscal_year_start_month }} as fiscal_year_start_month,
        false as is_elimination
    from {{ ref('base_sap__companycode') }}
)

{{ select_contract('legal_entities', 'entities') }}
