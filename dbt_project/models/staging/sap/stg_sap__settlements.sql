{#
  What settles what, from the items of customers:
    refers   an item that names the invoice it belongs to: part payments, and credit memos (REBZG)
    clears   an invoice that a payment cleared: what part payments and credits had left of it
    assigned an item on account whose assignment is the number of a billing document
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_sap__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'invoice_id']},
        {'columns': ['payment_document_key']}, {'columns': ['invoice_document_key']}, {'columns': ['applied_date']}
    ]
) }}

with items as (
    select *
    from {{ ref('stg_sap__ledger_items') }}
    where account_type = 'D'
),

-- An accounting document and the document that it is part of; what a cancellation posted is no invoice.
parts as (
    select distinct
        connection,
        ledger_id,
        document_id
    from items
),

referred as (
    select
        connection,
        invoice_ledger_id as ledger_id,
        sum(amount) as amount
    from items
    where invoice_ledger_id is not null
    group by connection, invoice_ledger_id
),

cleared as (
    select
        connection,
        ledger_id,
        clearing_ledger_id,
        document_id,
        ledger_id || '/' || min(line_id) as line_id,
        min(currency_code) as currency_code,
        sum(amount) as amount
    from items
    where clearing_ledger_id is not null and clearing_ledger_id <> ledger_id and invoice_ledger_id is null
    group by connection, ledger_id, clearing_ledger_id, document_id
),

applied as (
    select
        items.connection,
        items.ledger_id || '/' || items.line_id as line_id,
        items.document_id as payment_id,
        parts.document_id as invoice_id,
        items.currency_code,
        -items.amount as applied_amount,
        items.posting_date as applied_date
    from items
    inner join parts on items.connection = parts.connection and items.invoice_ledger_id = parts.ledger_id
    union all
    select
        cleared.connection,
        cleared.line_id,
        cleared.clearing_ledger_id as payment_id,
        cleared.document_id as invoice_id,
        cleared.currency_code,
        cleared.amount + coalesce(referred.amount, 0) as applied_amount,
        cast(null as date) as applied_date
    from cleared
    left join referred on cleared.connection = referred.connection and cleared.ledger_id = referred.ledger_id
    union all
    select
        items.connection,
        items.ledger_id || '/' || items.line_id as line_id,
        items.document_id as payment_id,
        items.assignment as invoice_id,
        items.currency_code,
        -items.amount as applied_amount,
        items.posting_date
    from items
    where
        items.billing_id is null and items.invoice_ledger_id is null and items.clearing_ledger_id is null
        and items.assignment is not null
),

settlements as (
    select
        applied.connection,
        applied.line_id,
        payment.document_key as payment_document_key,
        payment.document_type as payment_type,
        applied.payment_id,
        invoice.document_key as invoice_document_key,
        invoice.document_type as invoice_type,
        applied.invoice_id,
        applied.currency_code,
        applied.applied_amount,
        cast(0 as numeric) as discount_amount,
        coalesce(applied.applied_date, payment.document_date) as applied_date,
        applied.payment_id as document_id
    from applied
    inner join {{ ref('stg_sap__documents') }} as payment
        on applied.connection = payment.connection and applied.payment_id = payment.document_id
    inner join {{ ref('stg_sap__documents') }} as invoice
        on applied.connection = invoice.connection and applied.invoice_id = invoice.document_id
    {{ join_touched('stg_sap__documents_touched', 'applied.connection', 'applied.payment_id') }}
    where
        payment.document_type in ('payment', 'clearing', 'credit_memo', 'ledger_credit', 'customer_document', 'journal')
        and invoice.document_type not in ('payment', 'clearing')
        and applied.applied_amount <> 0
)

{{ select_contract('settlements', 'settlements') }}
