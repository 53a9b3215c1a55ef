{#
  The meaning that master data gives to documents. Versioned, so that a build knows when a meaning changed: then all
  documents are looked at again. A new account or period changes no document that exists.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='reference_key', scope='all',
    full_refresh=false, contract={'enforced': true}, on_schema_change='append_new_columns',
    pre_hook="{{ session_settings() }}"
) }}

{{ references([
    ('account', 'base_netsuite__account', ['accttype', 'sspecacct', 'eliminate']),
    ('period', 'base_netsuite__accountingperiod', ['startdate']),
    ('subsidiary', 'base_netsuite__subsidiary', ['currency']),
    ('currency', 'base_netsuite__currency', ['symbol']),
    ('book', 'base_netsuite__accountingbook', ['isprimary']),
    ('item', 'base_netsuite__item', ['itemid'])
]) }}
