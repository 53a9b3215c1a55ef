{# One row per document. What a mapping does not tell follows from the contract: a firm, posted document of its day. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_generic__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

with told as (
    {{ generic_rows('documents', generic_columns(
        'documents', without=['document_key', 'legal_entity_id', 'source_url', 'line_count', 'modified_at', 'batch_id'],
        more={'legal_entity': dbt.type_string()}
    )) }}
),

mapped as (
    select
        told.connection,
        coalesce(told.document_type, 'unknown') as document_type,
        told.document_id,
        coalesce(told.document_number, told.document_id) as document_number,
        {{ legal_entity('told.connection', 'told.legal_entity') }} as legal_entity_id,
        told.customer_id,
        coalesce(told.currency_code, {{ connection_attribute('told.connection', 'currency') }}) as currency_code,
        told.source_type_code,
        told.source_status_code,
        told.status,
        told.external_id,
        told.reference,
        coalesce(told.posting_period, {{ period_of('told.document_date') }}) as posting_period,
        told.header_total_amount,
        told.exchange_rate,
        cast(null as integer) as line_count,
        coalesce(told.is_posting, told.document_type not in ('deal', 'crm_order', 'order', 'estimate'), true) as is_posting,
        coalesce(told.is_voided, false) as is_voided,
        coalesce(told.is_cancelled, false) as is_cancelled,
        coalesce(told.is_pending, false) as is_pending,
        coalesce(told.is_intercompany, told.scope_reason = 'H1', false) as is_intercompany,
        false as has_billing_schedule,
        told.document_date,
        told.due_date,
        told.closed_date,
        told.source_stream,
        told.created_at,
        told.modified_at,
        told.batch_id
    from told
    {{ join_touched('stg_generic__documents_touched', 'told.connection', 'told.document_id') }}
),

keyed as (
    select
        {{ document_key('connection', 'document_type', 'document_id') }} as document_key,
        {{ generic_url('document_id') }} as source_url,
        mapped.*
    from mapped
)

{{ select_contract('documents', 'keyed') }}
