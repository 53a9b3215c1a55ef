{#
  What settles what. A settlement has a row on either side; the one of what was owed counts, the other says it again. Ids are
  those of transactions, which belong to an invoice by their voucher, or are payments themselves.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_finance__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'invoice_id']},
        {'columns': ['payment_document_key']}, {'columns': ['invoice_document_key']}, {'columns': ['applied_date']}
    ]
) }}

with applied as (
    select
        settlement.connection,
        settlement.id as line_id,
        credit.document_id as payment_id,
        debit.document_id as invoice_id,
        debit.currency_code,
        settlement.amount as applied_amount,
        coalesce(settlement.discount_amount, 0) as discount_amount,
        settlement.applied_date
    from {{ ref('base_dynamics_finance__custsettlement') }} as settlement
    inner join {{ ref('stg_dynamics_finance__transactions') }} as debit
        on settlement.connection = debit.connection and settlement.trans_id = debit.transaction_id
    inner join {{ ref('stg_dynamics_finance__transactions') }} as credit
        on settlement.connection = credit.connection and settlement.offset_id = credit.transaction_id
    where settlement.amount > 0 and debit.document_id <> credit.document_id
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
        applied.discount_amount,
        coalesce(applied.applied_date, payment.document_date) as applied_date,
        applied.payment_id as document_id
    from applied
    inner join {{ ref('stg_dynamics_finance__documents') }} as payment
        on applied.connection = payment.connection and applied.payment_id = payment.document_id
    inner join {{ ref('stg_dynamics_finance__documents') }} as invoice
        on applied.connection = invoice.connection and applied.invoice_id = invoice.document_id
    {{ join_touched('stg_dynamics_finance__documents_touched', 'applied.connection', 'applied.payment_id') }}
)

{{ select_contract('settlements', 'settlements') }}
