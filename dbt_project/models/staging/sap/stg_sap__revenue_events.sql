{#
  Items as events:
    order, billing, billing_credit, billing_cancel  items of orders and billing documents; SAP's amounts have no sign, the
             document's category says which way they count. A rejected item of an order counts as nothing.
    delivery quantities that left, without amounts
    cash     what customers' items of a payment say was received; cash sales and refunds settle themselves
    posting  what posted to revenue or deferred revenue, journals included
  Applications come from settlements.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_sap__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

{% set text, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as numeric)' -%}
with documents as (
    select
        document.*,
        category.event_type as category_event,
        category.sign,
        nullif(category.scope_reason, '') as category_scope
    from {{ ref('stg_sap__documents') }} as document
    left join {{ ref('map_sap_document_category') }} as category
        on document.source_type_code = category.category_code and document.document_id not like '%/%'
    {{ join_touched('stg_sap__documents_touched', 'document.connection', 'document.document_id') }}
),

items as (
    select
        connection,
        document_id,
        line_id,
        product_id,
        plant,
        unit,
        case when rejection_reason is null then quantity else 0 end as quantity,
        case when rejection_reason is null then net_amount else 0 end as net_amount,
        case when rejection_reason is null then tax_amount else 0 end as tax_amount,
        case when rejection_reason is null then net_amount + tax_amount else 0 end as source_amount,
        'sap__a_salesorderitem' as source_table,
        record_key,
        batch_id
    from {{ ref('base_sap__salesorderitem') }}
    union all
    select
        connection,
        document_id,
        line_id,
        product_id,
        plant,
        unit,
        quantity,
        net_amount,
        coalesce(tax_amount, 0) as tax_amount,
        net_amount + coalesce(tax_amount, 0) as source_amount,
        'sap__a_billingdocumentitem' as source_table,
        record_key,
        batch_id
    from {{ ref('base_sap__billingitem') }}
    {%- if 'place_id' in contract_columns('revenue_events') %}
    union all
    select
        connection,
        document_id,
        line_id,
        product_id,
        plant,
        unit,
        quantity,
        {{ money }} as net_amount,
        {{ money }} as tax_amount,
        {{ money }} as source_amount,
        'sap__a_outbdeliveryitem' as source_table,
        record_key,
        batch_id
    from {{ ref('base_sap__deliveryitem') }}
    {%- endif %}
),

item_events as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        items.line_id,
        document.category_event as event_type,
        'item' as leg,
        items.product_id,
        items.plant as place_id,
        document.sign * items.quantity as quantity,
        items.unit,
        document.sign * items.net_amount as net_amount,
        case when items.net_amount is not null then 0 end as discount_amount,
        document.sign * items.tax_amount as tax_amount,
        case when items.net_amount is not null then 0 end as freight_amount,
        document.sign * (items.net_amount + items.tax_amount) as total_amount,
        items.source_amount,
        document.sign as source_sign,
        {{ money }} as functional_amount,
        document.document_date as event_date,
        case when document.is_posting then document.document_date end as posting_date,
        'document' as basis,
        coalesce(
            document.category_scope,
            case when document.is_cancelled then 'G1' when document.is_pending then 'H2' end
        ) as scope_reason,
        items.source_table,
        items.record_key as source_key,
        items.batch_id
    from documents as document
    inner join items on document.connection = items.connection and document.document_id = items.document_id
    where document.category_event is not null
),

receipts as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        sum(item.amount) as amount,
        sum(item.functional_amount) as functional_amount,
        min(item.posting_date) as posting_date,
        min(item.record_key) as record_key,
        max(item.batch_id) as batch_id
    from documents as document
    inner join {{ ref('stg_sap__ledger_items') }} as item
        on document.connection = item.connection and document.document_id = item.document_id
    where document.document_type = 'payment' and item.account_type = 'D'
    group by document.document_key, document.connection, document.document_id
),

cash_events as (
    select
        document_key,
        connection,
        document_id,
        'total' as line_id,
        case when amount > 0 then 'cash_refund' else 'cash' end as event_type,
        'receipt' as leg,
        {{ text }} as product_id,
        {{ text }} as place_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        {{ money }} as net_amount,
        {{ money }} as discount_amount,
        {{ money }} as tax_amount,
        {{ money }} as freight_amount,
        -amount as total_amount,
        amount as source_amount,
        -1 as source_sign,
        -functional_amount as functional_amount,
        posting_date as event_date,
        posting_date,
        'document' as basis,
        {{ text }} as scope_reason,
        'sap__a_operationalacctgdocitemcube' as source_table,
        record_key as source_key,
        batch_id
    from receipts
    union all
    select
        document.document_key,
        document.connection,
        document.document_id,
        'total' as line_id,
        case when document.document_type = 'cash_refund' then 'cash_refund' else 'cash' end as event_type,
        'receipt' as leg,
        {{ text }} as product_id,
        {{ text }} as place_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        {{ money }} as net_amount,
        {{ money }} as discount_amount,
        {{ money }} as tax_amount,
        {{ money }} as freight_amount,
        document.sign * document.header_total_amount as total_amount,
        document.header_total_amount as source_amount,
        document.sign as source_sign,
        {{ money }} as functional_amount,
        document.document_date as event_date,
        document.document_date as posting_date,
        'document' as basis,
        case when document.is_pending then 'H2' when document.is_voided then 'G1' end as scope_reason,
        'sap__a_billingdocument' as source_table,
        document.document_id as source_key,
        document.batch_id
    from documents as document
    where document.document_type in ('cash_sale', 'cash_refund')
),

posting_events as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        item.ledger_id || '/' || item.line_id as line_id,
        case when item.account_kind = 'deferred' then 'deferral' else 'recognition' end as event_type,
        item.account_kind as leg,
        item.product_id,
        {{ text }} as place_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        -item.amount as net_amount,
        {{ money }} as discount_amount,
        cast(0 as numeric) as tax_amount,
        {{ money }} as freight_amount,
        -item.amount as total_amount,
        item.amount as source_amount,
        -1 as source_sign,
        -item.functional_amount as functional_amount,
        document.document_date as event_date,
        item.posting_date,
        'posted' as basis,
        case when document.is_intercompany then 'H1' end as scope_reason,
        'sap__a_operationalacctgdocitemcube' as source_table,
        item.record_key as source_key,
        item.batch_id
    from documents as document
    inner join {{ ref('stg_sap__ledger_items') }} as item
        on document.connection = item.connection and document.document_id = item.document_id
    where item.account_kind in ('revenue', 'deferred')
),

applications as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        settlement.line_id || '/' || settlement.invoice_id as line_id,
        'application' as event_type,
        case when settlement.payment_type in ('payment', 'clearing') then 'cash' else 'credit' end as leg,
        {{ text }} as product_id,
        {{ text }} as place_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        {{ money }} as net_amount,
        {{ money }} as discount_amount,
        {{ money }} as tax_amount,
        {{ money }} as freight_amount,
        settlement.applied_amount as total_amount,
        abs(settlement.applied_amount) as source_amount,
        case when settlement.applied_amount < 0 then -1 else 1 end as source_sign,
        {{ money }} as functional_amount,
        settlement.applied_date as event_date,
        settlement.applied_date as posting_date,
        'document' as basis,
        case when document.is_intercompany then 'H1' when document.is_pending then 'H2' end as scope_reason,
        'sap__a_operationalacctgdocitemcube' as source_table,
        settlement.line_id as source_key,
        document.batch_id
    from documents as document
    inner join {{ ref('stg_sap__settlements') }} as settlement
        on document.connection = settlement.connection and document.document_id = settlement.document_id
),

events as (
    select * from item_events
    union all
    select * from cash_events
    union all
    select * from posting_events
    union all
    select * from applications
),

complete as (
    {{ events_of_documents('events', 'documents') }}
)

{{ select_contract('revenue_events', 'complete') }}
