{#
  What settles what: applications of receipts, and of credit memos that do not pay back at a till themselves. An adjustment
  settles without cash: nothing is applied, and what it takes off stands as a discount.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_oracle__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'invoice_id']},
        {'columns': ['payment_document_key']}, {'columns': ['invoice_document_key']}, {'columns': ['applied_date']}
    ]
) }}

with applications as (
    select application.*
    from {{ ref('stg_oracle__applications') }} as application
    {{ join_touched('stg_oracle__documents_touched', 'application.connection', 'application.payer_id') }}
),

settlements as (
    select
        applications.connection,
        applications.payer_kind || '-' || applications.record_key as line_id,
        payment.document_key as payment_document_key,
        payment.document_type as payment_type,
        applications.payer_id as payment_id,
        coalesce(
            invoice.document_key,
            {{ document_key('applications.connection', "'invoice'", 'applications.transaction_id') }}
        ) as invoice_document_key,
        coalesce(invoice.document_type, 'invoice') as invoice_type,
        applications.transaction_id as invoice_id,
        coalesce(applications.currency_code, payment.currency_code) as currency_code,
        abs(applications.amount) as applied_amount,
        cast(0 as numeric) as discount_amount,
        applications.applicationdate as applied_date,
        applications.payer_id as document_id
    from applications
    inner join {{ ref('stg_oracle__documents') }} as payment
        on applications.connection = payment.connection and applications.payer_id = payment.document_id
    left join {{ ref('stg_oracle__documents') }} as invoice
        on applications.connection = invoice.connection and applications.transaction_id = invoice.document_id
    where payment.document_type <> 'cash_refund' and not payment.is_voided
    union all
    select
        adjustment.connection,
        'adjustment-' || adjustment.record_key,
        document.document_key,
        document.document_type,
        adjustment.document_id as payment_id,
        coalesce(
            invoice.document_key,
            {{ document_key('adjustment.connection', "'invoice'", 'adjustment.transaction_id') }}
        ),
        coalesce(invoice.document_type, 'invoice'),
        adjustment.transaction_id,
        document.currency_code,
        cast(0 as numeric),
        -adjustment.amount,
        adjustment.accountingdate,
        adjustment.document_id
    from {{ ref('stg_oracle__adjustments') }} as adjustment
    {{ join_touched('stg_oracle__documents_touched', 'adjustment.connection', 'adjustment.document_id') }}
    inner join {{ ref('stg_oracle__documents') }} as document
        on adjustment.connection = document.connection and adjustment.document_id = document.document_id
    left join {{ ref('stg_oracle__documents') }} as invoice
        on adjustment.connection = invoice.connection and adjustment.transaction_id = invoice.document_id
)

{{ select_contract('settlements', 'settlements') }}
