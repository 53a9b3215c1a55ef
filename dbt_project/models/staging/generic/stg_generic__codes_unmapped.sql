{# Codes that a map of tieout.yml does not list, and says to report. #}
{%- set found = [] -%}
{%- for connection in var('company').connections -%}
    {%- for mapping in connection.get('contracts', []) -%}
        {%- for name, told in mapping.columns.items() if told.map and told.get('unmapped', 'report') == 'report' -%}
            {%- do found.append((connection.name, mapping, name, told)) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endfor -%}
{% for connection, mapping, name, told in found -%}
select
    cast({{ literal(connection) }} as {{ dbt.type_string() }}) as connection,
    cast({{ literal(mapping.stream ~ ': ' ~ name) }} as {{ dbt.type_string() }}) as code_set,
    {{ generic_code(told) }} as code_value,
    count(*) as document_count
{{ generic_from(connection, mapping) }}
    and coalesce({{ generic_code(told) }}, '') not in (''{% for code in told.map %}, {{ literal(code) }}{% endfor %})
group by {{ generic_code(told) }}
{% if not loop.last %}union all{% endif %}
{% endfor -%}
{% if not found -%}
select
    cast(null as {{ dbt.type_string() }}) as connection,
    cast(null as {{ dbt.type_string() }}) as code_set,
    cast(null as {{ dbt.type_string() }}) as code_value,
    cast(0 as bigint) as document_count
where 1 = 0
{%- endif %}
