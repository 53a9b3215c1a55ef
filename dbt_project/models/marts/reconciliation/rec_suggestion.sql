-- Documents that stand open and may belong together. dbt makes the table and leaves it alone; matching in Python fills it when
-- the other marts are built (tieout.matching.suggestions): its passes look at all that is open of a unit, whatever changed.
{{ config(
    materialized='incremental', incremental_strategy='append', full_refresh=false,
    on_schema_change='append_new_columns', contract={'enforced': true},
    indexes=[{'columns': ['suggestion_key']}, {'columns': ['document_key']}]
) }}
select
    {% for column in model.columns.values() -%}
    cast(null as {{ column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
    {% endfor %}
where 1 = 0
