{#
  Entries of the ledger are bookings, and what came back is a cancelled booking on its own day. Gift cards are owed, tips and
  duties are passed on: they are deferred, and out of scope, as tests are: H4. So is the CRM's order, which is kept.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_shopify__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
{% set in_shop = connection_says('document.connection', 'money', 'shop', 'presentment') -%}
with entries as (
    select
        document.document_key,
        document.connection,
        document.legal_entity_id,
        document.document_type,
        document.document_id,
        document.document_number,
        document.customer_id,
        document.currency_code,
        document.document_date,
        document.due_date,
        document.source_url,
        document.modified_at,
        sale.sale_id as line_id,
        case
            when not sale.is_revenue then 'deferral'
            when document.document_type = 'deal' then sale.event_type
            else 'order'
        end as event_type,
        sale.leg,
        sale.product_id,
        sale.quantity,
        case when {{ in_shop }} then sale.net_shop_amount else sale.net_paid_amount end as net_amount,
        case when {{ in_shop }} then sale.tax_shop_amount else sale.tax_paid_amount end as tax_amount,
        case when {{ in_shop }} then sale.discount_shop_amount else sale.discount_paid_amount end as discount_amount,
        sale.sale_date,
        case
            when document.document_type = 'crm_order' or sale.is_test or not sale.is_revenue then 'H4'
        end as scope_reason,
        sale.batch_id
    from {{ ref('stg_shopify__documents') }} as document
    inner join {{ ref('stg_shopify__sales') }} as sale
        on
            document.connection = sale.connection
            and case
                when document.document_type = 'deal' then document.document_id
                else substring(document.document_id from 21)
            end = sale.order_id
    {{ join_touched('stg_shopify__documents_touched', 'document.connection', 'document.document_id') }}
    where document.document_type = 'deal' or (sale.event_type = 'booking' and sale.is_revenue)
),

events as (
    select
        document_key,
        connection,
        legal_entity_id,
        document_type,
        document_id,
        document_number,
        line_id,
        event_type,
        leg,
        customer_id,
        product_id,
        {{ text }} as place_id,
        quantity,
        {{ text }} as unit,
        currency_code,
        net_amount,
        discount_amount,
        tax_amount,
        case when leg = 'freight' then net_amount else 0 end as freight_amount,
        net_amount + tax_amount as total_amount,
        net_amount + tax_amount as source_amount,
        1 as source_sign,
        cast(null as numeric) as functional_amount,
        cast(null as numeric) as fx_rate,
        {{ text }} as fx_rate_type,
        cast(null as date) as fx_rate_date,
        sale_date as event_date,
        document_date,
        cast(null as date) as posting_date,
        {{ period_of('sale_date') }} as period,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        due_date,
        'document' as basis,
        case when scope_reason is null then 'in' else 'out' end as scope,
        scope_reason,
        'shopify__sales' as source_table,
        line_id as source_key,
        source_url,
        modified_at,
        batch_id
    from entries
)

{{ select_contract('revenue_events', 'events') }}
