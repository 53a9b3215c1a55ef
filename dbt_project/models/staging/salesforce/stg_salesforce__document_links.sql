{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_salesforce__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

with links as (
    {{ deal_order_links('salesforce', 'base_salesforce__order', 'opportunityid') }}
)

{{ select_contract('document_links', 'links') }}
