with told as (
    {{ generic_rows('legal_entities', generic_columns('legal_entities', without=['legal_entity_id', 'fiscal_year_start_month'])) }}
),

entities as (
    select
        connection,
        {{ legal_entity('connection', 'source_id') }} as legal_entity_id,
        source_id,
        coalesce(name, source_id) as name,
        upper(country_code) as country_code,
        coalesce(functional_currency_code, {{ connection_attribute('connection', 'currency') }}) as functional_currency_code,
        {{ parent_entity('connection', 'parent_id') }} as parent_id,
        {{ var('company').group.fiscal_year_start_month }} as fiscal_year_start_month,
        coalesce(is_elimination, false) as is_elimination
    from told
)

{{ select_contract('legal_entities', 'entities') }}
