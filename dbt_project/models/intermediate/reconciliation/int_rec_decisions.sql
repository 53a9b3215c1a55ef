-- What people decided about two documents of a hop: that they belong together, or that they do not; of a payment and an invoice,
-- how much. Versioned, so that a build knows what was decided or taken back since the one before.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='decision_key', scope='all', full_refresh=false,
    on_schema_change='append_new_columns', lookups=['document_id_a', 'document_id_b']
) }}

with decisions as (
    select
        {{ hash_key(['entity', 'connection_a', 'record_id_a', 'connection_b', 'record_id_b']) }} as decision_key,
        entity as hop,
        verdict = 'SAME' as is_match,
        connection_a,
        record_id_a as document_id_a,
        connection_b,
        record_id_b as document_id_b,
        decision_id,
        amount,
        currency_code
    from {{ source('decisions', 'identity_decision_now') }}
    where entity in ('deal_order', 'order_invoice', 'invoice_cash')
)

{{ versioned('decisions') }}
