-- What the ledger shows as revenue, by document, entity and period, in the seller's view: rows on accounts of revenue, or of
-- deferred revenue where a schedule releases it later. Versioned, so that sums over it follow what changed.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='posting_key', full_refresh=false,
    scope='document', scope_columns=['connection', 'document_id'], scope_model='int_documents__touched',
    on_schema_change='append_new_columns', contract={'enforced': true}, lookups=['document_key']
) }}

with entries as (
    select entry.*
    from {{ ref('int_gl_entries__unioned') }} as entry
    {{ join_touched('int_documents__touched', 'entry.connection', 'entry.document_id') }}
    where entry.account_kind in ('revenue', 'deferred')
),

posted as (
    select
        {{ hash_key(['document_key', 'legal_entity_id', 'period']) }} as posting_key,
        document_key,
        connection,
        document_id,
        legal_entity_id,
        min(functional_currency_code) as functional_currency_code,
        period,
        -sum(functional_amount) as amount,
        -sum(case when is_manual then functional_amount else 0 end) as manual_amount
    from entries
    group by document_key, connection, document_id, legal_entity_id, period
)

{{ versioned('posted') }}
