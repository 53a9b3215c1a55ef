{# What tieout.yml says, as SQL. The var `company` holds group and connections; it holds no secret. #}

{# A CASE over the connections of the company. `attribute` names what each branch yields. #}
{% macro connection_attribute(connection, attribute) -%}
    {%- set known = [] -%}
    {%- for found in var('company').connections if found.get(attribute) is not none -%}
        {%- do known.append(found) -%}
    {%- endfor -%}
    {%- if known -%}
    case {{ connection }}{% for found in known %} when {{ literal(found.name) }} then {{ literal(found[attribute]) }}{% endfor %} end
    {%- else -%}
    cast(null as {{ dbt.type_string() }})
    {%- endif -%}
{%- endmacro %}

{#
  Whether a connection's options say `word: value` in tieout.yml; `default`: what holds where they say nothing. A constant
  where no connection says anything: the planner leaves out what cannot be.
#}
{% macro connection_says(connection, word, value, default) -%}
    {%- set others = [] -%}
    {%- for found in var('company').connections if found.get('options', {}).get(word) -%}
        {%- if (found.options[word] == value) != (value == default) -%}{%- do others.append(literal(found.name)) -%}{%- endif -%}
    {%- endfor -%}
    {%- if not others -%}
    {{ '1 = 1' if value == default else '1 = 0' }}
    {%- else -%}
    {{ connection }}{{ ' not' if value == default }} in ({{ others | join(', ') }})
    {%- endif -%}
{%- endmacro %}

{# What a connection's options say under `word`, else `default`. #}
{% macro connection_option(connection, word, default) -%}
    {%- set known = [] -%}
    {%- for found in var('company').connections if found.get('options', {}).get(word) -%}{%- do known.append(found) -%}{%- endfor -%}
    {%- if known -%}
    case {{ connection }}{% for found in known %} when {{ literal(found.name) }} then {{ literal(found.options[word]) }}{% endfor %} else {{ literal(default) }} end
    {%- else -%}
    {{ literal(default) }}
    {%- endif -%}
{%- endmacro %}

{#
  The business unit of a connection ('' where tieout.yml names none). Ids and document numbers mean something only within
  their unit: an order 4711 of another unit is another order.
#}
{% macro connection_unit(connection) -%}
    coalesce({{ connection_attribute(connection, 'unit') }}, '')
{%- endmacro %}

{# Our code of a source's legal entity: the map of the connection, else the source's own id, else the connection's one. #}
{% macro legal_entity(connection, source_id) -%}
    coalesce(
        {%- for found in var('company').connections if found.get('legal_entities') %}
        case when {{ connection }} = {{ literal(found.name) }} then case {{ source_id }}
            {%- for source, ours in found.legal_entities.items() %} when {{ literal(source) }} then {{ literal(ours) }}{% endfor %} end end,
        {%- endfor %}
        {{ source_id }},
        {{ connection_attribute(connection, 'legal_entity') }}
    )
{%- endmacro %}

{# The record in the vendor's own pages: `urls` of a connection maps a stream to a template with {id}. #}
{% macro source_url(connection, stream, id) -%}
    {%- set known = [] -%}
    {%- for found in var('company').connections if found.get('urls', {}).get(stream) -%}
        {%- do known.append(found) -%}
    {%- endfor -%}
    {%- if known -%}
    case {{ connection }}
        {%- for found in known %}
        {%- set parts = found.urls[stream].split('{id}') %} when {{ literal(found.name) }} then {{ literal(parts[0]) }} || {{ id }}
        {%- if parts | length > 1 and parts[1] %} || {{ literal(parts[1]) }}{% endif %}
        {%- endfor %} end
    {%- else -%}
    cast(null as {{ dbt.type_string() }})
    {%- endif -%}
{%- endmacro %}

{% macro group_currency() -%}{{ literal(var('company').group.currency) }}{%- endmacro %}

{% macro document_key(connection, document_type, document_id) -%}
    {{ hash_key([connection, document_type, document_id]) }}
{%- endmacro %}
