{# Schemas are exactly what dbt_project.yml says: staging, intermediate, marts. No prefix of a target. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
