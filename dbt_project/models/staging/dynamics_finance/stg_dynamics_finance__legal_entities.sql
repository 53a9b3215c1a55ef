{# Companies with the currency of their ledger. #}
with entities as (
    select
        entity.connection,
        {{ legal_entity('entity.connection', 'entity.id') }} as legal_entity_id,
        entity.id as source_id,
        entity.name,
        upper(entity.country) as country_code,
        ledger.currency as functional_currency_code,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        {{ var('company').group.fiscal_year_start_month }} as fiscal_year_start_month,
        entity.is_elimination
    from {{ ref('base_dynamics_finance__legalentities') }} as entity
    left join {{ ref('base_dynamics_finance__ledgers') }} as ledger
        on entity.connection = ledger.connection and entity.id = ledger.id
)

{{ select_contract('legal_entities', 'entities') }}
