{#
  What follows from what, as items say, and the document flow where it is there: order → delivery → billing, order → billing,
  billing → credit memo, original → cancellation.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_sap__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
with billing_items as (
    select item.*
    from {{ ref('base_sap__billingitem') }} as item
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
),

links as (
    select
        item.connection,
        item.source_id as from_id,
        item.source_line_id as from_line_id,
        item.document_id as to_id,
        item.line_id as to_line_id
    from {{ ref('base_sap__deliveryitem') }} as item
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
    where item.source_id is not null
    union
    select
        connection,
        source_id,
        source_line_id,
        document_id,
        line_id
    from billing_items
    where source_id is not null
    union
    select
        connection,
        order_id,
        order_line_id,
        document_id,
        line_id
    from billing_items
    where order_id is not null and source_category_code is distinct from 'M'
    union
    select
        billing.connection,
        billing.cancelled_id,
        {{ text }} as from_line_id,
        billing.document_id,
        {{ text }} as to_line_id
    from {{ ref('base_sap__billing') }} as billing
    {{ join_touched('stg_sap__documents_touched', 'billing.connection', 'billing.document_id') }}
    where billing.cancelled_id is not null
    union
    select
        flow.connection,
        flow.from_id,
        case when category.event_type <> 'billing_cancel' then flow.from_line_id end as from_line_id,
        flow.to_id,
        case when category.event_type <> 'billing_cancel' then flow.to_line_id end as to_line_id
    from {{ ref('base_sap__documentflow') }} as flow
    -- Goods movements and ledger documents flow too, and have numbers of their own.
    inner join {{ ref('map_sap_document_category') }} as category on flow.to_category_code = category.category_code
    inner join {{ ref('map_sap_document_category') }} as source on flow.from_category_code = source.category_code
    {{ join_touched('stg_sap__documents_touched', 'flow.connection', 'flow.to_id') }}
),

named as (
    {{ links_of_documents('sap', {'link_type': "'created_from'", 'amount': 'cast(null as numeric)'}) }}
)

{{ select_contract('document_links', 'named') }}
