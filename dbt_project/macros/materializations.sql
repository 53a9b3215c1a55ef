{#
  dbt's own materializations ask the catalogue some ten times a model for columns and types, and move relations by macros of
  their own, each with a context made anew: most of the time of a small build. A partial build has the project of the build
  before (any change of it makes a complete one), so that columns, indexes and comments of its tables stand.
#}

{% materialization incremental, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or existing.is_view or not is_partial_build() -%}
        {{ return(dbt.materialization_incremental_default()) }}
    {%- endif -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set candidate = make_temp_relation(target) -%}
    {%- set strategy = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy')) -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('candidates') -%}
        create temporary table {{ candidate }} as (
            {{ sql }}
        )
    {%- endcall %}
    {% call statement('main') -%}
        {{ strategy({
            'target_relation': target, 'temp_relation': candidate, 'unique_key': config.get('unique_key'),
            'dest_columns': adapter.get_column_schema_from_query('select * from ' ~ candidate), 'incremental_predicates': none
        }) }}
    {%- endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization table, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or not existing.is_table or not is_partial_build() -%}
        {{ return(dbt.materialization_table_default()) }}
    {%- endif -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set fresh = make_intermediate_relation(target) -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        {{ get_create_table_as_sql(False, fresh, sql) }}
    {%- endcall %}
    {% call statement('swap') -%}
        drop table {{ target }} cascade;
        alter table {{ fresh }} rename to {{ adapter.quote(target.identifier) }};
        {% for index in config.get('indexes', []) -%}
        {{ get_create_index_sql(target, index) }};
        {% endfor -%}
        {{ comments_on(target) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and not existing.is_view -%}
        {{ return(dbt.materialization_view_default()) }}
    {%- endif -%}
    {%- set target = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        drop view if exists {{ target }} cascade;
        {{ get_create_view_as_sql(target, sql) }}
        {{ comments_on(target) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# What the properties say of a relation and its columns. A column that they name and that it lacks is an error. #}
{% macro comments_on(relation) -%}
    {% if config.persist_relation_docs() -%}
    {% if model.description %}{{ alter_relation_comment(relation, model.description) }}{% endif %}
    {% for column in model.columns.values() if column.description -%}
    comment on column {{ relation }}.{{ adapter.quote(column.name) }} is {{ postgres_escape_comment(column.description) }};
    {% endfor -%}
    {%- endif %}
{%- endmacro %}

{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {% set said = comments_on(relation) | trim %}
    {% if said %}{% call statement('comments') %}{{ said }}{% endcall %}{% endif %}
{%- endmacro %}
