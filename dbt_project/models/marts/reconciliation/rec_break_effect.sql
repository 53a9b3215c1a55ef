-- In which cell each break counts: the effects sum to the gap of every cell of rec_summary.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='effect_key', full_refresh=false,
    scope='document', scope_columns=['group_key', 'hop'], scope_model='int_rec_groups__touched'
) }}
-- depends on: {{ ref('int_rec_groups__touched') }}

with effects as (
    select
        effect_key,
        break_key,
        hop,
        group_key,
        reason_code,
        business_unit,
        legal_entity_id,
        period,
        currency_code,
        amount,
        group_amount
    from {{ ref('int_rec_effects') }}
)

{{ versioned('effects') }}
