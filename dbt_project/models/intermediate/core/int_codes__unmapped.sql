{# Codes that a source sends and no map knows, by connection. Must be empty: a gate reads it and names them. #}
{{ config(materialized='view', tags=['settled']) }}

{% for system in var('systems') %}
    select
        connection,
        code_set,
        code_value,
        document_count,
        '{{ system }}' as source_system
    from {{ ref('stg_' ~ system ~ '__codes_unmapped') }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
