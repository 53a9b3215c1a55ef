-- What left the house, by delivery, order and product. A line that says its order counts for that one; a delivery that does not
-- say it line by line counts where it names one order only: neither order nor ids break ties. Versioned, so that a build
-- knows which orders a delivery served before.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='delivery_key', full_refresh=false,
    scope='document', scope_columns=['connection', 'document_id'], scope_model='int_documents__touched',
    on_schema_change='append_new_columns', contract={'enforced': true}, lookups=['order_document_key']
) }}

with deliveries as (
    select
        document.document_key,
        document.connection,
        document.document_id
    from {{ ref_current('int_rec_documents') }} as document
    {{ join_touched('int_documents__touched', 'document.connection', 'document.document_id') }}
    where document.role = 'delivery' and document.scope_reason is null and not document.is_void
),

origins as (
    select distinct
        link.to_document_key as document_key,
        link.to_line_id as line_id,
        link.from_document_key as order_document_key
    from deliveries
    inner join {{ ref('int_document_links__unioned') }} as link on deliveries.document_key = link.to_document_key
    where link.link_type = 'created_from' and link.from_type = 'order' and link.from_document_key is not null
),

single as (
    select
        document_key,
        min(order_document_key) as order_document_key
    from origins
    group by document_key
    having count(distinct order_document_key) = 1
),

by_line as (
    select
        document_key,
        line_id,
        min(order_document_key) as order_document_key
    from origins
    where line_id is not null
    group by document_key, line_id
    having count(distinct order_document_key) = 1
),

lines as (
    select
        deliveries.document_key,
        deliveries.connection,
        deliveries.document_id,
        coalesce(by_line.order_document_key, single.order_document_key) as order_document_key,
        revenue.product_key,
        revenue.quantity
    from deliveries
    inner join {{ ref_current('fct_revenue') }} as revenue
        on
            deliveries.connection = revenue.connection
            and deliveries.document_id = revenue.document_id
            and deliveries.document_key = revenue.document_key
    left join by_line on revenue.document_key = by_line.document_key and revenue.line_id = by_line.line_id
    left join single on revenue.document_key = single.document_key
    where revenue.event_type = 'delivery' and revenue.product_key is not null and revenue.quantity <> 0
),

delivered as (
    select
        {{ hash_key(['document_key', 'order_document_key', 'product_key']) }} as delivery_key,
        document_key,
        connection,
        document_id,
        order_document_key,
        product_key,
        sum(quantity) as quantity
    from lines
    where order_document_key is not null
    group by document_key, connection, document_id, order_document_key, product_key
    having sum(quantity) <> 0
)

{{ versioned('delivered') }}
