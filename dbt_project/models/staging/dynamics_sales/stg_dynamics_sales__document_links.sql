{#
  deal_order: the CRM's order names the deal from which it was made. The ERP's ids on orders are `external_id` of
  documents.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_sales__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

with orders as (
    select sales_order.*
    from {{ ref('base_dynamics_sales__salesorder') }} as sales_order
    {{ join_touched('stg_dynamics_sales__documents_touched', 'sales_order.connection', 'sales_order.record_key') }}
    where sales_order.opportunity_id is not null
),

links as (
    select
        connection,
        {{ document_key('connection', "'deal'", 'opportunity_id') }} as from_document_key,
        'deal' as from_type,
        opportunity_id as from_id,
        cast(null as {{ dbt.type_string() }}) as from_line_id,
        connection as to_connection,
        {{ document_key('connection', "'crm_order'", 'id') }} as to_document_key,
        'crm_order' as to_type,
        id as to_id,
        cast(null as {{ dbt.type_string() }}) as to_line_id,
        'deal_order' as link_type,
        cast(null as numeric) as amount,
        id as document_id
    from orders
)

{{ select_contract('document_links', 'links') }}
