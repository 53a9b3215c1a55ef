{# What settles what: money of a payment, or of a credit, applied to an invoice. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_generic__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'invoice_id']},
        {'columns': ['payment_document_key']}, {'columns': ['invoice_document_key']}, {'columns': ['applied_date']}
    ]
) }}

with told as (
    {{ generic_rows('settlements', {
        'line_id': dbt.type_string(), 'payment_type': dbt.type_string(), 'payment_id': dbt.type_string(),
        'invoice_type': dbt.type_string(), 'invoice_id': dbt.type_string(), 'currency_code': dbt.type_string(),
        'applied_amount': 'numeric(28, 4)', 'discount_amount': 'numeric(28, 4)', 'applied_date': 'date'
    }) }}
),

settlements as (
    select
        told.connection,
        told.line_id,
        {{ document_key('told.connection', 'told.payment_type', 'told.payment_id') }} as payment_document_key,
        told.payment_type,
        told.payment_id,
        {{ document_key('told.connection', 'told.invoice_type', 'told.invoice_id') }} as invoice_document_key,
        told.invoice_type,
        told.invoice_id,
        told.payment_id as document_id,
        coalesce(told.currency_code, payment.currency_code) as currency_code,
        told.applied_amount,
        coalesce(told.discount_amount, 0) as discount_amount,
        coalesce(told.applied_date, payment.document_date) as applied_date
    from told
    {{ join_touched('stg_generic__documents_touched', 'told.connection', 'told.payment_id') }}
    inner join {{ ref('stg_generic__documents') }} as payment
        on told.connection = payment.connection and told.payment_id = payment.document_id
)

{{ select_contract('settlements', 'settlements') }}
