{# Posted ledger lines, debit positive, in the transaction's and the entity's own currency. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_generic__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with told as (
    {{ generic_rows('gl_entries', generic_columns(
        'gl_entries', without=['document_key', 'legal_entity_id'], more={'legal_entity': dbt.type_string()}
    )) }}
),

entries as (
    select
        {{ document_key('told.connection', "coalesce(told.document_type, 'journal')", 'coalesce(told.document_id, told.entry_id)') }}
            as document_key,
        told.connection,
        {{ legal_entity('told.connection', 'told.legal_entity') }} as legal_entity_id,
        told.entry_id,
        told.line_id,
        told.account_code,
        coalesce(told.account_kind, 'other') as account_kind,
        coalesce(told.amount, told.functional_amount) as amount,
        coalesce(told.currency_code, told.functional_currency_code, {{ connection_attribute('told.connection', 'currency') }})
            as currency_code,
        told.functional_amount,
        coalesce(told.functional_currency_code, {{ connection_attribute('told.connection', 'currency') }})
            as functional_currency_code,
        told.posting_date,
        coalesce(told.period, {{ period_of('told.posting_date') }}) as period,
        coalesce(told.document_type, 'journal') as document_type,
        coalesce(told.document_id, told.entry_id) as document_id,
        told.customer_id,
        coalesce(told.is_manual, told.document_type = 'journal', told.document_id is null) as is_manual,
        coalesce(told.ledger_book, 'primary') as ledger_book
    from told
    {{ join_touched('stg_generic__documents_touched', 'told.connection', 'coalesce(told.document_id, told.entry_id)') }}
)

{{ select_contract('gl_entries', 'entries') }}
