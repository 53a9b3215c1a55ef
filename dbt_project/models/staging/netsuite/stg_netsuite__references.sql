{#
  The meaning that master data gives to documents. Versioned, so that a build knows when a meaning changed: then all
  documents are looked at again. A new account or period changes no document that exists.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='reference_key', scope='all',
    full_refresh=false, contract={'enforced': true}, on_schema_change='append_new_columns',
    pre_hook="{{ session_settings() }}"
) }}

with meanings as (
    select
        connection,
        'account' as reference_type,
        id as reference_id,
        coalesce(accttype, '') || '|' || coalesce(sspecacct, '') || '|'
        || coalesce(cast(eliminate as {{ dbt.type_string() }}), '') as meaning
    from {{ ref('base_netsuite__account') }}
    union all
    select
        connection,
        'period' as reference_type,
        id as reference_id,
        coalesce(cast(startdate as {{ dbt.type_string() }}), '') as meaning
    from {{ ref('base_netsuite__accountingperiod') }}
    union all
    select
        connection,
        'subsidiary' as reference_type,
        id as reference_id,
        coalesce(currency, '') as meaning
    from {{ ref('base_netsuite__subsidiary') }}
    union all
    select
        connection,
        'currency' as reference_type,
        id as reference_id,
        coalesce(symbol, '') as meaning
    from {{ ref('base_netsuite__currency') }}
    union all
    select
        connection,
        'book' as reference_type,
        id as reference_id,
        coalesce(cast(isprimary as {{ dbt.type_string() }}), '') as meaning
    from {{ ref('base_netsuite__accountingbook') }}
    union all
    select
        connection,
        'item' as reference_type,
        id as reference_id,
        coalesce(itemid, '') as meaning
    from {{ ref('base_netsuite__item') }}
),

keyed as (
    select
        {{ hash_key(['connection', 'reference_type', 'reference_id']) }} as reference_key,
        meanings.*
    from meanings
)

{{ versioned('keyed') }}
