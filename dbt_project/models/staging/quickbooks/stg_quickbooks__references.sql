{# The meaning that master data gives to documents, versioned: when it changed, all documents are looked at again. #}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='reference_key', scope='all',
    full_refresh=false, contract={'enforced': true}, on_schema_change='append_new_columns',
    pre_hook="{{ session_settings() }}"
) }}

{{ references([
    ('company', 'base_quickbooks__preferences', ['home_currency']),
    ('account', 'base_quickbooks__account', ['account_code', 'account_type', 'account_subtype']),
    ('item', 'base_quickbooks__item', ['income_account'])
]) }}
