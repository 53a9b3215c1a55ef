{#
  Deals (opportunities that are won, until they are reopened) and the CRM's own orders. A deal is worth what was won
  (actualvalue), else what its products sum to, else what was expected.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_sales__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
with deals as (
    select
        deal.connection,
        'deal' as document_type,
        deal.id as document_id,
        coalesce(deal.name, deal.id) as document_number,
        deal.selling_entity,
        deal.customer_id,
        deal.currency_id,
        {{ text }} as source_type_code,
        coalesce(deal.status_label, 'Won') as source_status_code,
        'won' as status,
        {{ text }} as external_id,
        {{ text }} as reference,
        {{ source_url('deal.connection', 'opportunity', 'deal.id') }} as source_url,
        coalesce(deal.actual_value, deal.total_amount, deal.estimated_value) as header_total_amount,
        false as is_cancelled,
        false as is_pending,
        deal.closed_date as document_date,
        cast(null as date) as closed_date,
        deal.created_at,
        deal.modified_at,
        deal.batch_id
    from {{ ref('base_dynamics_sales__opportunity') }} as deal
    {{ join_touched('stg_dynamics_sales__documents_touched', 'deal.connection', 'deal.record_key') }}
    where deal.state_code = 1
),

orders as (
    select
        sales_order.connection,
        'crm_order' as document_type,
        sales_order.id as document_id,
        coalesce(sales_order.order_number, sales_order.id) as document_number,
        deal.selling_entity,
        sales_order.customer_id,
        sales_order.currency_id,
        {{ text }} as source_type_code,
        cast(sales_order.state_code as {{ dbt.type_string() }}) as source_status_code,
        states.status,
        sales_order.erp_order_id as external_id,
        sales_order.reference,
        {{ source_url('sales_order.connection', 'salesorder', 'sales_order.id') }} as source_url,
        sales_order.total_amount as header_total_amount,
        coalesce(states.status = 'cancelled', false) as is_cancelled,
        not coalesce(states.is_firm, false) as is_pending,
        coalesce(sales_order.submitted_date, cast(sales_order.created_at as date)) as document_date,
        sales_order.fulfilled_date as closed_date,
        sales_order.created_at,
        sales_order.modified_at,
        sales_order.batch_id
    from {{ ref('base_dynamics_sales__salesorder') }} as sales_order
    left join {{ ref('base_dynamics_sales__opportunity') }} as deal
        on sales_order.connection = deal.connection and sales_order.opportunity_id = deal.record_key
    left join {{ ref('map_dynamics_sales_state') }} as states
        on 'salesorder/' || cast(sales_order.state_code as {{ dbt.type_string() }}) = states.state_code
    {{ join_touched('stg_dynamics_sales__documents_touched', 'sales_order.connection', 'sales_order.record_key') }}
),

documents as (
    select * from deals
    union all
    select * from orders
),

keyed as (
    select
        {{ document_key('documents.connection', 'documents.document_type', 'documents.document_id') }} as document_key,
        documents.*,
        {{ legal_entity('documents.connection', 'documents.selling_entity') }} as legal_entity_id,
        coalesce(currency.currency_code, {{ connection_attribute('documents.connection', 'currency') }}) as currency_code,
        {{ period_of('documents.document_date') }} as posting_period,
        cast(null as numeric) as exchange_rate,
        cast(null as integer) as line_count,
        false as is_posting,
        false as is_voided,
        false as is_intercompany,
        false as has_billing_schedule,
        cast(null as date) as due_date
    from documents
    left join {{ ref('base_dynamics_sales__transactioncurrency') }} as currency
        on documents.connection = currency.connection and documents.currency_id = currency.id
)

{{ select_contract('documents', 'keyed') }}
