{#
  An order is the deal and the CRM's order at once: the deal under its number, the order under its global id, as others name
  it. A cancelled order is nothing once its ledger took everything back, and not before.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_shopify__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
{% set zone = connection_attribute('sold.connection', 'time_zone') -%}
{% set in_shop = connection_says('sold.connection', 'money', 'shop', 'presentment') -%}
with left_over as (
    select
        sale.connection,
        sale.order_id,
        sum(sale.net_shop_amount) as net_amount
    from {{ ref('stg_shopify__sales') }} as sale
    {{ join_touched('stg_shopify__documents_touched', 'sale.connection', 'sale.order_id') }}
    where sale.is_revenue
    group by sale.connection, sale.order_id
),

orders as (
    select
        sold.connection,
        sold.id,
        sold.name,
        sold.business_entity_id,
        sold.customer_id,
        case when {{ in_shop }} then sold.currency_shop else sold.currency_paid end as currency_code,
        sold.source_name as source_type_code,
        sold.financial_status as source_status_code,
        sold.erp_order_id,
        sold.po_number as reference,
        {{ source_url('sold.connection', 'orders', 'sold.id') }} as source_url,
        case when {{ in_shop }} then sold.total_shop else sold.total_paid end as header_total_amount,
        sold.cancelled_at is not null and coalesce(left_over.net_amount, 0) = 0 as is_cancelled,
        {{ local_day('sold.processed_at', zone) }} as document_date,
        {{ local_day('sold.closed_at', zone) }} as closed_date,
        sold.due_in_days,
        sold.created_at,
        sold.modified_at,
        sold.batch_id
    from {{ ref('base_shopify__orders') }} as sold
    left join left_over on sold.connection = left_over.connection and sold.id = left_over.order_id
    {{ join_touched('stg_shopify__documents_touched', 'sold.connection', 'sold.id') }}
),

documents as (
    select
        orders.*,
        'deal' as document_type,
        id as document_id,
        'won' as status,
        {{ text }} as external_id
    from orders
    union all
    select
        orders.*,
        'crm_order' as document_type,
        'gid://shopify/Order/' || id as document_id,
        case when is_cancelled then 'cancelled' else 'open' end as status,
        erp_order_id as external_id
    from orders
),

keyed as (
    select
        {{ document_key('documents.connection', 'documents.document_type', 'documents.document_id') }} as document_key,
        documents.*,
        documents.name as document_number,
        {{ legal_entity('documents.connection', 'documents.business_entity_id') }} as legal_entity_id,
        {{ period_of('documents.document_date') }} as posting_period,
        cast(null as numeric) as exchange_rate,
        cast(null as integer) as line_count,
        false as is_posting,
        false as is_voided,
        false as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        cast({{ dbt.dateadd('day', 'documents.due_in_days', 'documents.document_date') }} as date) as due_date
    from documents
)

{{ select_contract('documents', 'keyed') }}
