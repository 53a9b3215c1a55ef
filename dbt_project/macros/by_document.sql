{#
  Line-level tables that are replaced document by document. The model yields all rows of the touched documents; the rows
  that the table holds of those documents are dropped first, so that a document without any row left disappears.
  Config `touched`: the model that lists (connection, document_id).
#}
{% macro get_incremental_by_document_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set touched = ref(config.require('touched')) -%}
    {%- set document_column = config.get('document_column', 'document_id') %}
    delete from {{ target }} as stored
    using {{ touched }} as touched
    where
        stored.connection = touched.connection
        and stored.{{ document_column }} = touched.document_id;

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{%- endmacro %}

{# `join` to the touched documents when only they are wanted. #}
{% macro join_touched(touched_model, connection, document_id) -%}
    {%- set touched = ref(touched_model) -%}
    {%- if is_partial() -%}
    inner join {{ touched }} as touched
        on {{ connection }} = touched.connection and {{ document_id }} = touched.document_id
    {%- endif -%}
{%- endmacro %}
