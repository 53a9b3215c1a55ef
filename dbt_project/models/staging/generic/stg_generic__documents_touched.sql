{#
  Documents of which anything landed changed since the last build: header, lines, ledger rows, links, and what names one of
  them. All of them in a complete build.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{%- set partial = is_partial_build() -%}
{%- set parts = [
    ('documents', 'document_id'), ('revenue_events', 'document_id'), ('document_links', 'to_id'),
    ('settlements', 'payment_id'), ('gl_entries', 'document_id')
] -%}
{%- set selects = [] -%}
{%- for contract, column in parts -%}
    {%- for connection, mapping in generic_mappings(contract) if column in mapping.columns -%}
        {%- do selects.append((connection, mapping, column)) -%}
    {%- endfor -%}
{%- endfor %}
with landed as (
    {% for connection, mapping, column in selects -%}
    select
        cast({{ literal(connection) }} as {{ dbt.type_string() }}) as connection,
        {{ generic_expression(mapping.columns[column], dbt.type_string()) }} as document_id
    {{ generic_from(connection, mapping, versions=partial) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor -%}
    {% if not selects -%}
    select
        cast(null as {{ dbt.type_string() }}) as connection,
        cast(null as {{ dbt.type_string() }}) as document_id
    where 1 = 0
    {%- endif %}
),

touched as (
    select distinct
        connection,
        document_id
    from landed
    where document_id is not null
)

select
    connection,
    document_id
from touched
{% if partial -%}
union
select
    namer.connection,
    namer.document_id
from touched
inner join {{ left_behind('stg_generic__document_links') }} as namer
    on touched.connection = namer.connection and touched.document_id = namer.from_id
union
select
    namer.connection,
    namer.document_id
from touched
inner join {{ left_behind('stg_generic__settlements') }} as namer
    on touched.connection = namer.connection and touched.document_id = namer.invoice_id
{%- endif %}
