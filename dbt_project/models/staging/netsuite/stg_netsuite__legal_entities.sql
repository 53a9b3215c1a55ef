{# Subsidiaries. Without OneWorld there is none, and dim_legal_entity takes the entity that tieout.yml names. #}
with entities as (
    select
        subsidiary.connection,
        {{ legal_entity('subsidiary.connection', 'subsidiary.id') }} as legal_entity_id,
        subsidiary.id as source_id,
        coalesce(subsidiary.legalname, subsidiary.name) as name,
        upper(subsidiary.country) as country_code,
        currency.symbol as functional_currency_code,
        {{ parent_entity('subsidiary.connection', 'subsidiary.parent') }} as parent_id,
        {{ var('company').group.fiscal_year_start_month }} as fiscal_year_start_month,
        coalesce(subsidiary.iselimination, false) as is_elimination
    from {{ ref('base_netsuite__subsidiary') }} as subsidiary
    left join {{ ref('base_netsuite__currency') }} as currency
        on subsidiary.connection = currency.connection and subsidiary.currency = currency.record_key
)

{{ select_contract('legal_entities', 'entities') }}
