{#
  One row per legal entity of the group: what the ledgers say, and entities that only tieout.yml names. Where two
  ledgers keep one entity, the first by name of its connection speaks.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='legal_entity_id', scope='all',
    full_refresh=false
) }}

with told as (
    {{ union_contract('legal_entities') }}
),

configured as (
    {% for found in var('company').connections if found.get('legal_entity') %}
    select
        {{ literal(found.name) }} as connection,
        {{ literal(found.legal_entity) }} as legal_entity_id,
        {{ literal(found.get('currency')) }} as functional_currency_code
    union all
    {% endfor %}
    select
        cast(null as {{ dbt.type_string() }}) as connection,
        cast(null as {{ dbt.type_string() }}) as legal_entity_id,
        cast(null as {{ dbt.type_string() }}) as functional_currency_code
    where 1 = 0
),

candidates as (
    select
        connection,
        legal_entity_id,
        source_id,
        name,
        country_code,
        functional_currency_code,
        parent_id,
        fiscal_year_start_month,
        is_elimination,
        1 as preference
    from told
    union all
    select
        connection,
        legal_entity_id,
        cast(null as {{ dbt.type_string() }}) as source_id,
        legal_entity_id as name,
        cast(null as {{ dbt.type_string() }}) as country_code,
        functional_currency_code,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        {{ var('company').group.fiscal_year_start_month }} as fiscal_year_start_month,
        false as is_elimination,
        2 as preference
    from configured
),

ranked as (
    select
        *,
        row_number() over (partition by legal_entity_id order by preference, connection, source_id) as choice
    from candidates
    where legal_entity_id is not null
),

entities as (
    select * from ranked
    where choice = 1
)

{{ versioned('entities') }}
