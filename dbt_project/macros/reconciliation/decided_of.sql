{# Whether an end of a decision, 'a' or 'b', is a document. #}
{% macro decided_of(decision, end, document) -%}
    {{ decision }}.connection_{{ end }} = {{ document }}.connection
    and {{ decision }}.document_id_{{ end }} = {{ document }}.document_id
{%- endmacro %}
