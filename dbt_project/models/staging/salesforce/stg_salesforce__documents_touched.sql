{# Opportunities and orders of which anything that was landed changed since the last build. #}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{% if var('previous_batch_id') | int < 0 -%}
    select
        connection,
        record_key as document_id
    from {{ ref('base_salesforce__opportunity') }}
    where iswon
    union all
    select
        connection,
        record_key as document_id
    from {{ ref('base_salesforce__order') }}
-- depends on: {{ ref('stg_salesforce__references') }}, so that both kinds of build have the same graph
{%- else -%}
with opportunities as (
    select _connection as connection, _key as document_id
    from {{ source('salesforce', 'salesforce__opportunity') }}
    where {{ landed_since_last_build() }}
),

opportunity_lines as (
    select _connection as connection, opportunityid as document_id
    from {{ source('salesforce', 'salesforce__opportunitylineitem') }}
    where {{ landed_since_last_build() }}
),

orders as (
    select _connection as connection, _key as document_id
    from {{ source('salesforce', 'salesforce__order') }}
    where {{ landed_since_last_build() }}
),

order_lines as (
    select _connection as connection, orderid as document_id
    from {{ source('salesforce', 'salesforce__orderitem') }}
    where {{ landed_since_last_build() }}
),

meaning_changed as (
    select distinct connection
    from {{ ref('stg_salesforce__references') }}
    where superseded_run > {{ var('previous_run_id') | int }} and superseded_run < {{ open_run() }}
),

everything as (
    select opportunity.connection, opportunity.record_key as document_id
    from meaning_changed
    inner join {{ ref('base_salesforce__opportunity') }} as opportunity
        on meaning_changed.connection = opportunity.connection
    where opportunity.iswon
    union all
    select sales_order.connection, sales_order.record_key
    from meaning_changed
    inner join {{ ref('base_salesforce__order') }} as sales_order on meaning_changed.connection = sales_order.connection
)

select connection, document_id from opportunities
union
select connection, document_id from opportunity_lines
union
select connection, document_id from orders
union
select connection, document_id from order_lines
union
select connection, document_id from everything
{%- endif %}
