{#
  Invoices and what is like them, estimates, payments, journals and deposits. An estimate that was accepted is an order, a
  rejected one an order that was cancelled, any other a pro forma. A payment of zero that only applies credit memos is no
  document. A voided record stays, with zeros.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_quickbooks__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

{% set text, day, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as date)', 'cast(null as numeric)' -%}
with sales as (
    select
        sale.connection,
        case
            when sale.entity = 'Invoice' then 'invoice'
            when sale.entity = 'SalesReceipt' then 'cash_sale'
            when sale.entity = 'CreditMemo' then 'credit_memo'
            when sale.entity = 'RefundReceipt' then 'cash_refund'
            when sale.is_order then 'order'
            else 'pro_forma'
        end as document_type,
        sale.document_id,
        coalesce(sale.document_number, sale.id) as document_number,
        sale.customer_id,
        sale.currency_code,
        coalesce(case when sale.entity = 'Estimate' then coalesce(sale.status_code, '') end, sale.entity) as source_type_code,
        sale.status_code as source_status_code,
        case
            when sale.is_voided then 'voided'
            when sale.entity = 'Estimate' then sale.status
            when sale.balance_amount = 0 then 'closed'
            else 'open'
        end as status,
        sale.external_id,
        sale.reference,
        sale.sign * sale.total_amount as header_total_amount,
        sale.exchange_rate,
        sale.entity <> 'Estimate' as is_posting,
        sale.is_voided,
        sale.is_order and sale.status = 'cancelled' as is_cancelled,
        sale.recurring is not null as has_billing_schedule,
        sale.document_date,
        sale.due_date,
        case sale.entity
            when 'Invoice' then {{ source_url('sale.connection', 'Invoice', 'sale.id') }}
            when 'SalesReceipt' then {{ source_url('sale.connection', 'SalesReceipt', 'sale.id') }}
            when 'CreditMemo' then {{ source_url('sale.connection', 'CreditMemo', 'sale.id') }}
            when 'RefundReceipt' then {{ source_url('sale.connection', 'RefundReceipt', 'sale.id') }}
            else {{ source_url('sale.connection', 'Estimate', 'sale.id') }}
        end as source_url,
        sale.created_at,
        sale.modified_at,
        sale.batch_id
    from {{ ref('stg_quickbooks__sales') }} as sale
    {{ join_touched('stg_quickbooks__documents_touched', 'sale.connection', 'sale.document_id') }}
),

payments as (
    select
        payment.connection,
        'payment' as document_type,
        payment.document_id,
        coalesce(payment.reference, payment.id) as document_number,
        payment.customer_id,
        payment.currency_code,
        'Payment' as source_type_code,
        {{ text }} as source_status_code,
        case when payment.is_voided then 'voided' when payment.unapplied_amount = 0 then 'closed' else 'open' end as status,
        {{ text }} as external_id,
        payment.reference,
        payment.total_amount as header_total_amount,
        payment.exchange_rate,
        true as is_posting,
        payment.is_voided,
        false as is_cancelled,
        false as has_billing_schedule,
        payment.document_date,
        {{ day }} as due_date,
        {{ source_url('payment.connection', 'Payment', 'payment.id') }} as source_url,
        payment.created_at,
        payment.modified_at,
        payment.batch_id
    from {{ ref('base_quickbooks__payment') }} as payment
    {{ join_touched('stg_quickbooks__documents_touched', 'payment.connection', 'payment.document_id') }}
    where payment.total_amount <> 0 or payment.is_voided
),

{% for name, entity in [('journals', 'JournalEntry'), ('deposits', 'Deposit')] -%}
{{ name }} as (
    select
        document.connection,
        'journal' as document_type,
        document.document_id,
        coalesce(document.document_number, document.id) as document_number,
        {{ text }} as customer_id,
        document.currency_code,
        '{{ entity }}' as source_type_code,
        {{ text }} as source_status_code,
        'open' as status,
        {{ text }} as external_id,
        {{ text }} as reference,
        {{ money }} as header_total_amount,
        document.exchange_rate,
        true as is_posting,
        false as is_voided,
        false as is_cancelled,
        false as has_billing_schedule,
        document.document_date,
        {{ day }} as due_date,
        {{ source_url('document.connection', entity, 'document.id') }} as source_url,
        document.created_at,
        document.modified_at,
        document.batch_id
    from {{ ref('base_quickbooks__' ~ entity | lower) }} as document
    {{ join_touched('stg_quickbooks__documents_touched', 'document.connection', 'document.document_id') }}
),

{% endfor -%}
documents as (
    select * from sales
    union all
    select * from payments
    union all
    select * from journals
    union all
    select * from deposits
),

keyed as (
    select
        {{ document_key('documents.connection', 'documents.document_type', 'documents.document_id') }} as document_key,
        documents.connection,
        documents.document_type,
        documents.document_id,
        documents.document_number,
        {{ legal_entity('documents.connection', text) }} as legal_entity_id,
        documents.customer_id,
        coalesce(documents.currency_code, company.home_currency) as currency_code,
        documents.source_type_code,
        documents.source_status_code,
        documents.status,
        documents.external_id,
        documents.reference,
        {{ period_of('documents.document_date') }} as posting_period,
        documents.source_url,
        documents.header_total_amount,
        case
            when coalesce(documents.currency_code, company.home_currency) = company.home_currency then 1
            else documents.exchange_rate
        end as exchange_rate,
        cast(null as integer) as line_count,
        documents.is_posting,
        documents.is_voided,
        documents.is_cancelled,
        false as is_pending,
        false as is_intercompany,
        documents.has_billing_schedule,
        documents.document_date,
        documents.due_date,
        {{ day }} as closed_date,
        documents.created_at,
        documents.modified_at,
        documents.batch_id
    from documents
    left join {{ ref('base_quickbooks__preferences') }} as company on documents.connection = company.connection
)

{{ select_contract('documents', 'keyed') }}
