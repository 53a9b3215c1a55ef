{# Posted items, debit positive, in both currencies; of all documents that we stage. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_sap__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with entries as (
    select
        document.document_key,
        item.connection,
        {{ legal_entity('item.connection', 'item.company_code') }} as legal_entity_id,
        item.ledger_id as entry_id,
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
        coalesce(item.customer_id, document.customer_id) as customer_id,
        coalesce(kind.is_manual, false) as is_manual,
        'primary' as ledger_book
    from {{ ref('stg_sap__ledger_items') }} as item
    inner join {{ ref('stg_sap__documents') }} as document
        on item.connection = document.connection and item.document_id = document.document_id
    left join {{ ref('map_sap_accounting_type') }} as kind on item.accounting_type = kind.accounting_type_code
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
)

{{ select_contract('gl_entries', 'entries') }}
