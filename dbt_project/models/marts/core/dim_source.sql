{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='connection', scope='all',
    full_refresh=false
) }}

with connections as (
    {% for found in var('company').connections %}
    select
        {{ literal(found.name) }} as connection,
        {{ literal(found.system) }} as source_system,
        {{ literal(found.get('title')) }} as system_name,
        {{ literal(found.role) }} as role,
        {{ literal(found.time_zone) }} as time_zone,
        {{ literal(found.get('currency')) }} as currency_code,
        {{ literal(found.get('legal_entity')) }} as legal_entity_id
    {% if not loop.last %}union all{% endif %}
    {% else %}
        select
            cast(null as text) as connection,
            cast(null as text) as source_system,
            cast(null as text) as system_name,
            cast(null as text) as role,
            cast(null as text) as time_zone,
            cast(null as text) as currency_code,
            cast(null as text) as legal_entity_id
        where 1 = 0
    {% endfor %}
)

{{ versioned('connections') }}
