{# Legal entities; a business unit says by which ledger, and so in which currency, one keeps its books. #}
with currencies as (
    select
        connection,
        entity_source_id,
        min(functional_currency_code) as functional_currency_code
    from {{ ref('stg_oracle__units') }}
    group by connection, entity_source_id
),

entities as (
    select
        entity.connection,
        {{ legal_entity('entity.connection', 'entity.legalentityidentifier') }} as legal_entity_id,
        entity.legalentityidentifier as source_id,
        entity.name,
        upper(entity.country) as country_code,
        coalesce(
            currencies.functional_currency_code, {{ connection_attribute('entity.connection', 'currency') }}
        ) as functional_currency_code,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        {{ var('company').group.fiscal_year_start_month }} as fiscal_year_start_month,
        false as is_elimination
    from {{ ref('base_oracle__legalentitieslov') }} as entity
    left join currencies
        on entity.connection = currencies.connection and entity.legalentityidentifier = currencies.entity_source_id
)

{{ select_contract('legal_entities', 'entities') }}
