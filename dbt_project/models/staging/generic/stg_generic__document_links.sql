{# What follows from what, inside a connection. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_generic__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

with told as (
    {{ generic_rows('document_links', {
        'from_type': dbt.type_string(), 'from_id': dbt.type_string(), 'from_line_id': dbt.type_string(),
        'to_type': dbt.type_string(), 'to_id': dbt.type_string(), 'to_line_id': dbt.type_string(),
        'link_type': dbt.type_string(), 'amount': 'numeric(28, 4)'
    }) }}
),

links as (
    select
        told.connection,
        {{ document_key('told.connection', 'told.from_type', 'told.from_id') }} as from_document_key,
        told.from_type,
        told.from_id,
        told.from_line_id,
        told.connection as to_connection,
        {{ document_key('told.connection', 'told.to_type', 'told.to_id') }} as to_document_key,
        told.to_type,
        told.to_id,
        told.to_line_id,
        told.link_type,
        told.amount,
        told.to_id as document_id
    from told
    {{ join_touched('stg_generic__documents_touched', 'told.connection', 'told.to_id') }}
    where told.from_id is not null and told.to_id is not null
)

{{ select_contract('document_links', 'links') }}
