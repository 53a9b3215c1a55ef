{#
  A company's own system: its streams are declared in tieout.yml, and so is what they mean. The var `company` brings both,
  checked (`spec_contracts.py`): names of columns exist, words of closed lists are in them. Here mappings become SQL.
  Nothing of a company's is ever rendered as a template: names are quoted, values are literals.
#}

{# A column of the record `r` or, as header.<column>, of the record `h` that it belongs to. #}
{% macro generic_column(name) -%}
    {%- if name.startswith('header.') -%}h.{{ adapter.quote(name[7:]) }}{%- else -%}r.{{ adapter.quote(name) }}{%- endif -%}
{%- endmacro %}

{% macro generic_text(name) -%}cast({{ generic_column(name) }} as {{ dbt.type_string() }}){%- endmacro %}

{# All columns have one of the values; '' stands for nothing. #}
{% macro generic_when(conditions) -%}
    {%- set parts = [] -%}
    {%- for name, values in conditions.items() -%}
        {%- set quoted = [] -%}
        {%- for value in values -%}{%- do quoted.append(literal(value)) -%}{%- endfor -%}
        {%- do parts.append("coalesce(" ~ generic_text(name) ~ ", '') in (" ~ quoted | join(', ') ~ ")") -%}
    {%- endfor -%}
    ({{ parts | join(' and ') if parts else '1 = 1' }})
{%- endmacro %}

{# The raw code that a map translates, for what it does not know. #}
{% macro generic_code(told) -%}
    {%- if told.column -%}{{ generic_text(told.column) }}
    {%- elif told.first -%}coalesce({% for one in told.first %}nullif({{ generic_text(one) }}, ''){% if not loop.last %}, {% endif %}{% endfor %})
    {%- elif told.join -%}{% for one in told.join %}{{ generic_text(one) }}{% if not loop.last %} || {{ literal(told.get('separator', '|')) }} || {% endif %}{% endfor %}
    {%- endif -%}
{%- endmacro %}

{# An expression of tieout.yml as SQL of the wanted type. #}
{% macro generic_expression(told, type) -%}
    {%- set numeric = type.startswith('numeric') or type in ('integer', 'bigint') -%}
    {%- if 'constant' in told -%}
        {%- set value -%}{{ literal(told.constant | string | lower if told.constant is boolean else told.constant) }}{%- endset -%}
    {%- elif told.true_when -%}
        {%- set value -%}{{ generic_when(told.true_when) }}{%- endset -%}
    {%- elif told.map -%}
        {%- set value -%}
        case coalesce({{ generic_code(told) }}, ''){% for code, word in told.map.items() %} when {{ literal(code) }} then {{ literal(word | string | lower if word is boolean else word) }}{% endfor %}
        {%- if told.unmapped == 'keep' %} else {{ generic_code(told) }}{% endif %} end
        {%- endset -%}
    {%- elif told.column -%}
        {%- set value -%}{{ generic_column(told.column) }}{%- endset -%}
    {%- else -%}
        {%- set value -%}{{ generic_code(told) }}{%- endset -%}
    {%- endif -%}
    {%- if numeric -%}
        {%- set value -%}cast({{ value }} as numeric){%- endset -%}
        {%- if told.minus -%}{%- set value -%}(coalesce({{ value }}, 0) - coalesce({{ generic_column(told.minus) }}, 0)){%- endset -%}{%- endif -%}
        {%- if told.multiply_by -%}{%- set value -%}({{ value }} * {{ generic_column(told.multiply_by) }}){%- endset -%}{%- endif -%}
        {%- if told.divide_by -%}{%- set value -%}({{ value }} / nullif({{ generic_column(told.divide_by) }}, 0)){%- endset -%}{%- endif -%}
        {%- if told.invert -%}{%- set value -%}(cast(1 as numeric(38, 18)) / nullif({{ value }}, 0)){%- endset -%}{%- endif -%}
        {%- if told.absolute -%}{%- set value -%}abs({{ value }}){%- endset -%}{%- endif -%}
        {%- if told.negate -%}{%- set value -%}(-1 * {{ value }}){%- endset -%}{%- endif -%}
        {%- if told.negative_when -%}{%- set value -%}(case when {{ generic_when(told.negative_when) }} then -1 else 1 end * {{ value }}){%- endset -%}{%- endif -%}
    {%- elif type == dbt.type_string() and not told.true_when -%}
        {%- set value -%}nullif(trim(cast({{ value }} as {{ dbt.type_string() }})), ''){%- endset -%}
    {%- endif -%}
    cast({{ value }} as {{ type }})
{%- endmacro %}

{# What a mapping reads: current records, those of its conditions; `versions`: all versions since the last build. #}
{% macro generic_from(connection, mapping, versions=false) -%}
    from {{ generic_relation(mapping.table) }} as r
    {% if mapping.header -%}
    left join {{ generic_relation(mapping.header.table) }} as h
        on {% for ours, other in mapping.header.on.items() %}cast(r.{{ adapter.quote(ours) }} as {{ dbt.type_string() }}) = cast(h.{{ adapter.quote(other) }} as {{ dbt.type_string() }}) and {% endfor -%}
        h._connection = r._connection and h._superseded_batch is null and not h._is_deleted
    {% endif -%}
    where
        r._connection = {{ literal(connection) }}
        {% if versions -%}
        and (r._batch_id > {{ var('previous_batch_id') | int }} or r._superseded_batch > {{ var('previous_batch_id') | int }})
        {%- else -%}
        and r._superseded_batch is null and not r._is_deleted
        and {{ generic_when(mapping.get('where', {})) }}
        {%- if mapping.get('unless') %} and not {{ generic_when(mapping.unless) }}{% endif %}
        {%- endif %}
{%- endmacro %}

{% macro generic_relation(table) -%}
    {{ api.Relation.create(database=target.database, schema='raw', identifier=table) }}
{%- endmacro %}

{% macro generic_mappings(contract) -%}
    {%- set found = [] -%}
    {%- for connection in var('company').connections -%}
        {%- for mapping in connection.get('contracts', []) if mapping.contract == contract -%}
            {%- do found.append((connection.name, mapping)) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#
  The records of all mappings of a contract: connection, the told columns typed (NULL where one is not told), scope_reason,
  and where each came from. `columns`: {name: type}.
#}
{% macro generic_rows(contract, columns) -%}
    {%- set mappings = generic_mappings(contract) -%}
    {%- for connection, mapping in mappings %}
    select
        cast({{ literal(connection) }} as {{ dbt.type_string() }}) as connection,
        {% for name, type in columns.items() -%}
        {% if name in mapping.columns -%}
        {{ generic_expression(mapping.columns[name], type) }} as {{ name }},
        {% else -%}
        cast(null as {{ type }}) as {{ name }},
        {% endif -%}
        {% endfor -%}
        {% if mapping.get('out_of_scope') -%}
        case{% for one in mapping.out_of_scope %} when {{ generic_when(one.when) }} then {{ literal(one.reason) }}{% endfor %} end
        {%- else -%}
        cast(null as {{ dbt.type_string() }})
        {%- endif %} as scope_reason,
        cast({{ literal(mapping.table) }} as {{ dbt.type_string() }}) as source_table,
        cast({{ literal(mapping.stream) }} as {{ dbt.type_string() }}) as source_stream,
        r._key as source_key,
        r._modified_at as modified_at,
        {% if mapping.header -%}
        case when h._batch_id > r._batch_id then h._batch_id else r._batch_id end
        {%- else -%}
        r._batch_id
        {%- endif %} as batch_id
    {{ generic_from(connection, mapping) }}
    {% if not loop.last %}union all{% endif -%}
    {%- endfor -%}
    {%- if not mappings %}
    select
        cast(null as {{ dbt.type_string() }}) as connection,
        {% for name, type in columns.items() %}cast(null as {{ type }}) as {{ name }},
        {% endfor -%}
        cast(null as {{ dbt.type_string() }}) as scope_reason,
        cast(null as {{ dbt.type_string() }}) as source_table,
        cast(null as {{ dbt.type_string() }}) as source_stream,
        cast(null as {{ dbt.type_string() }}) as source_key,
        cast(null as timestamp with time zone) as modified_at,
        cast(null as bigint) as batch_id
    where 1 = 0
    {%- endif -%}
{%- endmacro %}

{# The columns of a contract that a mapping may tell, with their types, and more that the contract itself lacks. #}
{% macro generic_columns(contract, without=[], more={}) -%}
    {%- set found = {} -%}
    {%- for name, type in contract_columns(contract).items() if name not in without + ['connection'] -%}
        {%- do found.update({name: type}) -%}
    {%- endfor -%}
    {%- do found.update(more) -%}
    {{ return(found) }}
{%- endmacro %}

{# The record in the system's own pages, by the stream that it came from. #}
{% macro generic_url(id) -%}
    {%- set branches = [] -%}
    {%- for found in var('company').connections if found.get('contracts') -%}
        {%- for stream, url in found.get('urls', {}).items() -%}
            {%- set parts = url.split('{id}') -%}
            {%- do branches.append("when connection = " ~ literal(found.name) ~ " and source_stream = " ~ literal(stream)
                ~ " then " ~ literal(parts[0]) ~ " || " ~ id ~ (" || " ~ literal(parts[1]) if parts | length > 1 and parts[1] else "")) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if branches -%}case {{ branches | join(' ') }} end{%- else -%}cast(null as {{ dbt.type_string() }}){%- endif -%}
{%- endmacro %}
