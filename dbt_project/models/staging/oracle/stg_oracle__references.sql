{#
  The meaning that master data gives to documents. Versioned, so that a build knows when a meaning changed: then all
  documents are looked at again. A new account or unit changes no document that exists.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='reference_key', scope='all',
    full_refresh=false, contract={'enforced': true}, on_schema_change='append_new_columns',
    pre_hook="{{ session_settings() }}"
) }}

{{ references([
    ('unit', 'base_oracle__finbusinessunitslov', ['businessunitname', 'primaryledgerid', 'legalentityid']),
    ('ledger', 'base_oracle__ledgerslov', ['name', 'currencycode', 'ledgercategorycode']),
    ('entity', 'base_oracle__legalentitieslov', ['legalentityidentifier']),
    ('account', 'base_oracle__customeraccountslov', ['accountnumber', 'partynumber'])
]) }}
