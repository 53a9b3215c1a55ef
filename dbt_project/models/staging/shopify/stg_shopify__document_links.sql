{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_shopify__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

with links as (
    select
        sold.connection,
        {{ document_key('sold.connection', "'deal'", 'sold.id') }} as from_document_key,
        'deal' as from_type,
        sold.id as from_id,
        cast(null as {{ dbt.type_string() }}) as from_line_id,
        sold.connection as to_connection,
        {{ document_key('sold.connection', "'crm_order'", "'gid://shopify/Order/' || sold.id") }} as to_document_key,
        'crm_order' as to_type,
        'gid://shopify/Order/' || sold.id as to_id,
        cast(null as {{ dbt.type_string() }}) as to_line_id,
        'deal_order' as link_type,
        cast(null as numeric) as amount,
        'gid://shopify/Order/' || sold.id as document_id
    from {{ ref('base_shopify__orders') }} as sold
    {{ join_touched('stg_shopify__documents_touched', 'sold.connection', "'gid://shopify/Order/' || sold.id") }}
)

{{ select_contract('document_links', 'links') }}
