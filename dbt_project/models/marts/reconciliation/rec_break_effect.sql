-- In which cell each break counts: the effects sum to the gap of every cell of rec_summary.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='effect_key') }}

with effects as (
    select
        effect_key,
        break_key,
        hop,
        reason_code,
        legal_entity_id,
        period,
        currency_code,
        amount,
        group_amount
    from {{ ref('int_rec_effects') }}
)

{{ versioned('effects') }}
