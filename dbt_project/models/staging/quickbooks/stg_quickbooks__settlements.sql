{# What settles what: payments, and credit memos that a payment applied. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_quickbooks__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'invoice_id']},
        {'columns': ['payment_document_key']}, {'columns': ['invoice_document_key']}, {'columns': ['applied_date']}
    ]
) }}

with applied as (
    select
        application.*,
        payment.document_date as applied_date
    from {{ ref('stg_quickbooks__applications') }} as application
    {{ join_touched('stg_quickbooks__documents_touched', 'application.connection', 'application.payer_id') }}
    inner join {{ ref('base_quickbooks__payment') }} as payment
        on application.connection = payment.connection and application.payment_id = payment.document_id
),

settlements as (
    select
        applied.connection,
        applied.payment_id || '/' || applied.part as line_id,
        payer.document_key as payment_document_key,
        payer.document_type as payment_type,
        applied.payer_id as payment_id,
        invoice.document_key as invoice_document_key,
        invoice.document_type as invoice_type,
        applied.invoice_id,
        payer.currency_code,
        applied.amount as applied_amount,
        cast(0 as numeric) as discount_amount,
        applied.applied_date,
        applied.payer_id as document_id
    from applied
    inner join {{ ref('stg_quickbooks__documents') }} as payer
        on applied.connection = payer.connection and applied.payer_id = payer.document_id
    inner join {{ ref('stg_quickbooks__documents') }} as invoice
        on applied.connection = invoice.connection and applied.invoice_id = invoice.document_id
    where not payer.is_voided
)

{{ select_contract('settlements', 'settlements') }}
