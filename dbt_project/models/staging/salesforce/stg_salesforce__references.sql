{# What master data means for documents; see stg_netsuite__references. #}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='reference_key', scope='all',
    full_refresh=false, contract={'enforced': true}, on_schema_change='append_new_columns',
    pre_hook="{{ session_settings() }}"
) }}

with meanings as (
    select
        connection,
        'product' as reference_type,
        id as reference_id,
        coalesce(productcode, '') as meaning
    from {{ ref('base_salesforce__product2') }}
),

keyed as (
    select
        {{ hash_key(['connection', 'reference_type', 'reference_id']) }} as reference_key,
        meanings.*
    from meanings
)

{{ versioned('keyed') }}
