{# What documents post, debit positive, in both currencies. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_quickbooks__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with entries as (
    select
        document.document_key,
        item.connection,
        document.legal_entity_id,
        item.document_id as entry_id,
        item.line_id,
        item.account_code,
        item.account_kind,
        item.amount,
        item.currency_code,
        item.functional_amount,
        item.functional_currency_code,
        item.posting_date,
        {{ period_of('item.posting_date') }} as period,
        document.document_type,
        item.document_id,
        document.customer_id,
        document.document_type = 'journal' as is_manual,
        'primary' as ledger_book
    from {{ ref('stg_quickbooks__ledger_items') }} as item
    inner join {{ ref('stg_quickbooks__documents') }} as document
        on item.connection = document.connection and item.document_id = document.document_id
    {{ join_touched('stg_quickbooks__documents_touched', 'item.connection', 'item.document_id') }}
)

{{ select_contract('gl_entries', 'entries') }}
