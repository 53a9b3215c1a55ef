{# What master data means for documents; see stg_netsuite__references. #}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='reference_key', scope='all',
    full_refresh=false, contract={'enforced': true}, on_schema_change='append_new_columns',
    pre_hook="{{ session_settings() }}"
) }}

{{ references([('variant', 'base_shopify__variants', ['sku'])]) }}
