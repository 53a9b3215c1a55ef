{# Transactions of which anything that was landed changed since the last build: header, lines, ledger rows, links. #}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{% if var('previous_batch_id') | int < 0 -%}
    select
        connection,
        record_key as document_id
    from {{ ref('base_netsuite__transaction') }}
-- depends on: {{ ref('stg_netsuite__references') }}, so that both kinds of build have the same graph
{%- else -%}
with headers as (
    select _connection as connection, _key as document_id
    from {{ source('netsuite', 'netsuite__transaction') }}
    where {{ landed_since_last_build() }}
),

lines as (
    select _connection as connection, transaction as document_id
    from {{ source('netsuite', 'netsuite__transactionline') }}
    where {{ landed_since_last_build() }}
),

ledger as (
    select _connection as connection, transaction as document_id
    from {{ source('netsuite', 'netsuite__transactionaccountingline') }}
    where {{ landed_since_last_build() }}
),

links as (
    select _connection, previousdoc, nextdoc
    from {{ source('netsuite', 'netsuite__nexttransactionlink') }}
    where {{ landed_since_last_build() }}
),

meaning_changed as (
    select distinct connection
    from {{ ref('stg_netsuite__references') }}
    where superseded_run > {{ var('previous_run_id') | int }} and superseded_run < {{ open_run() }}
),

everything as (
    select header.connection, header.record_key as document_id
    from meaning_changed
    inner join {{ ref('base_netsuite__transaction') }} as header on meaning_changed.connection = header.connection
)

select connection, document_id from headers
union
select connection, document_id from lines
union
select connection, document_id from ledger
union
select _connection, previousdoc from links
union
select _connection, nextdoc from links
union
select connection, document_id from everything
{%- endif %}
