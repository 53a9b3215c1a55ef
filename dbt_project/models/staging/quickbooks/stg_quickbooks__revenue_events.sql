{#
  Lines as events, in the seller's sign:
    order, billing, billing_credit  lines of estimates, invoices, receipts and what takes them back; a discount is a line below
             zero, tax a line of its own. A pro forma is out of scope (H2), a cancelled order, too (G1).
    cash     what customers paid; sales and refunds that settle themselves
    posting  what the document makes in accounts of revenue, journals and deposits included
  Applications come from settlements.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_quickbooks__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

{% set text, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as numeric)' -%}
with documents as (
    select document.*
    from {{ ref('stg_quickbooks__documents') }} as document
    {{ join_touched('stg_quickbooks__documents_touched', 'document.connection', 'document.document_id') }}
),

line_events as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        line.line_id,
        case
            when document.document_type = 'order' then 'order'
            when document.document_type in ('credit_memo', 'cash_refund') then 'billing_credit'
            else 'billing'
        end as event_type,
        case
            when line.line_kind = 'discount' then 'discount'
            when line.freight_amount <> 0 then 'freight'
            else 'item'
        end as leg,
        line.product_id,
        line.quantity,
        {{ text }} as unit,
        line.net_amount,
        line.discount_amount,
        line.tax_amount,
        line.freight_amount,
        line.net_amount + line.tax_amount as total_amount,
        abs(line.net_amount + line.tax_amount) as source_amount,
        case when line.net_amount + line.tax_amount < 0 then -1 else 1 end as source_sign,
        {{ money }} as functional_amount,
        document.document_date as event_date,
        case when document.is_posting then document.document_date end as posting_date,
        'document' as basis,
        case
            when document.document_type = 'pro_forma' then 'H2'
            when document.is_cancelled then 'G1'
        end as scope_reason,
        line.source_table,
        line.record_key as source_key,
        line.batch_id
    from documents as document
    inner join {{ ref('stg_quickbooks__sale_lines') }} as line
        on document.connection = line.connection and document.document_id = line.document_id
),

cash_events as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        'total' as line_id,
        case when document.document_type = 'cash_refund' then 'cash_refund' else 'cash' end as event_type,
        'receipt' as leg,
        {{ text }} as product_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        {{ money }} as net_amount,
        {{ money }} as discount_amount,
        {{ money }} as tax_amount,
        {{ money }} as freight_amount,
        document.header_total_amount as total_amount,
        abs(document.header_total_amount) as source_amount,
        case when document.document_type = 'cash_refund' then -1 else 1 end as source_sign,
        {{ money }} as functional_amount,
        document.document_date as event_date,
        document.document_date as posting_date,
        'document' as basis,
        case when document.is_voided then 'G1' end as scope_reason,
        case document.source_type_code
            when 'Payment' then 'quickbooks__payment'
            when 'SalesReceipt' then 'quickbooks__salesreceipt'
            else 'quickbooks__refundreceipt'
        end as source_table,
        replace(document.document_id, document.source_type_code || '-', '') as source_key,
        document.batch_id
    from documents as document
    where document.document_type in ('payment', 'cash_sale', 'cash_refund')
),

posting_events as (
    {{ postings_of_documents('quickbooks', 'item.line_id', text, 'item.source_table') }}
),

applications as (
    {{ applications_of_documents('quickbooks', text, 'quickbooks__paymentline') }}
),

events as (
    select * from line_events
    union all
    select * from cash_events
    union all
    select * from posting_events
    union all
    select * from applications
),

complete as (
    {{ events_of_documents('events', 'documents', has_place=false) }}
)

{{ select_contract('revenue_events', 'complete') }}
