-- One row per deal, or per first document where there is no deal: how far it came, and with which amount at each hop.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='chain_key', full_refresh=false,
    scope='document', scope_columns=['first_document_key'], scope_model='int_rec_roots__touched', lookups=['customer_key']
) }}

{% set documents = ref_current('int_rec_documents') %}
{% set judged = ref_current('rec_document') %}
{% set roots_touched = ref('int_rec_roots__touched') %}
{% if is_partial() -%}
-- Orders of these chains, or orders that these billing documents stand under.
with looked_at as (
    select judged.document_key
    from {{ roots_touched }} as touched
    inner join {{ judged }} as judged on touched.first_document_key = judged.group_key
    where judged.hop = 'deal_order' and judged.side = 'right'
    union
    select first_document_key as document_key
    from {{ roots_touched }}
    union
    select judged.group_key as document_key
    from {{ roots_touched }} as touched
    inner join {{ judged }} as judged on touched.first_document_key = judged.document_key
    where judged.hop = 'order_invoice' and judged.side = 'right'
),

{% else -%}
with {% endif -%}

-- Groups with a left side are named by its first document: that is where the chain goes on.
orders as (
    select
        judged.document_key,
        judged.amount,
        coalesce(deal.document_key, judged.document_key) as root_key
    from {{ judged }} as judged
    {% if is_partial() -%}
    inner join looked_at on judged.document_key = looked_at.document_key
    {% endif -%}
    left join {{ documents }} as deal on judged.group_key = deal.document_key and deal.role = 'deal'
    where judged.hop = 'deal_order' and judged.side = 'right' and judged.outcome <> 'scoped_out'
),

bills as (
    {% if is_partial() -%}
    select
        judged.document_key,
        judged.document_type,
        judged.amount,
        judged.group_key
    from looked_at
    inner join {{ judged }} as judged on looked_at.document_key = judged.group_key
    where judged.hop = 'order_invoice' and judged.side = 'right' and judged.outcome <> 'scoped_out'
    union
    select
        judged.document_key,
        judged.document_type,
        judged.amount,
        judged.group_key
    from looked_at
    inner join {{ judged }} as judged on looked_at.document_key = judged.document_key
    {% else -%}
    select
        judged.document_key,
        judged.document_type,
        judged.amount,
        judged.group_key
    from {{ judged }} as judged
    {% endif -%}
    where judged.hop = 'order_invoice' and judged.side = 'right' and judged.outcome <> 'scoped_out'
),

billing as (
    select
        bills.document_key,
        bills.amount,
        bills.document_type in ('credit_memo', 'cash_refund') as is_credit,
        coalesce(orders.root_key, bills.document_key) as root_key
    from bills
    left join orders on bills.group_key = orders.document_key
),

roots as (
    select document.document_key as root_key
    from {{ documents }} as document
    {% if is_partial() -%}
    inner join {{ roots_touched }} as touched on document.document_key = touched.first_document_key
    {% endif -%}
    where document.role = 'deal' and document.scope_reason is null
    {% for level in ['orders', 'billing'] -%}
    union
    select {{ level }}.root_key
    from {{ level }}
    {% if is_partial() -%}
    inner join {{ roots_touched }} as touched on {{ level }}.root_key = touched.first_document_key
    {% endif -%}
    {% endfor %}
),

ordered as (
    select
        orders.root_key,
        sum(orders.amount) as order_amount,
        count(*) as order_count
    from orders
    group by orders.root_key
),

-- What left the house, by order and product, at the price that the order asks for.
shipped as (
    select
        orders.root_key,
        delivery.order_document_key,
        delivery.product_key,
        sum(delivery.quantity) as quantity
    from orders
    inner join {{ ref_current('int_rec_deliveries') }} as delivery on orders.document_key = delivery.order_document_key
    group by orders.root_key, delivery.order_document_key, delivery.product_key
),

asked as (
    select
        served.order_document_key,
        revenue.product_key,
        sum(revenue.quantity) as quantity,
        sum(revenue.net_amount) as amount
    from (select distinct order_document_key from shipped) as served
    inner join {{ documents }} as document on served.order_document_key = document.document_key
    inner join {{ ref_current('fct_revenue') }} as revenue
        on
            document.connection = revenue.connection
            and document.document_id = revenue.document_id
            and document.document_key = revenue.document_key
    where revenue.event_type = 'order' and revenue.leg = 'item' and not document.is_void
    group by served.order_document_key, revenue.product_key
),

delivered as (
    select
        shipped.root_key,
        sum({{ round_minor('asked.amount * shipped.quantity / asked.quantity', 'document.minor_units') }}) as delivered_amount,
        count(*) as delivery_count
    from shipped
    inner join asked
        on shipped.order_document_key = asked.order_document_key and shipped.product_key = asked.product_key
    inner join {{ documents }} as document on shipped.order_document_key = document.document_key
    where asked.quantity <> 0
    group by shipped.root_key
),

billed as (
    select
        billing.root_key,
        sum(case when billing.is_credit then 0 else billing.amount end) as invoice_amount,
        sum(case when billing.is_credit then billing.amount else 0 end) as credit_amount,
        count(*) as billing_count
    from billing
    group by billing.root_key
),

posted as (
    select
        billing.root_key,
        sum(judged.amount) as ledger_amount,
        count(*) as posting_count
    from billing
    {{ look_up(judged, 'judged', 'billing.document_key = judged.document_key') }}
    where judged.hop = 'invoice_ledger' and judged.side = 'right' and judged.outcome <> 'scoped_out'
    group by billing.root_key
),

paid as (
    select
        billing.root_key,
        sum(judged.amount) as cash_amount,
        count(*) as cash_count
    from billing
    {{ look_up(judged, 'judged', 'billing.document_key = judged.piece_key') }}
    where judged.hop = 'invoice_cash' and judged.side = 'right' and judged.outcome <> 'scoped_out'
    group by billing.root_key
),

customers as (
    select
        customer_key,
        name
    from {{ ref_current('dim_customer') }}
),

chains as (
    select
        {{ hash_key(['roots.root_key']) }} as chain_key,
        first_document.connection,
        case when first_document.role = 'deal' then first_document.document_key end as deal_document_key,
        case when first_document.role = 'deal' then first_document.document_number end as deal_number,
        roots.root_key as first_document_key,
        first_document.business_unit,
        first_document.legal_entity_id,
        first_document.customer_key,
        customers.name as customer_name,
        first_document.currency_code,
        case when first_document.role = 'deal' then first_document.net_amount else 0 end as deal_amount,
        coalesce(ordered.order_amount, 0) as order_amount,
        coalesce(delivered.delivered_amount, 0) as delivered_amount,
        coalesce(billed.invoice_amount, 0) as invoice_amount,
        coalesce(billed.credit_amount, 0) as credit_amount,
        coalesce(posted.ledger_amount, 0) as ledger_amount,
        coalesce(paid.cash_amount, 0) as cash_amount,
        case
            when paid.cash_count > 0 then 'cash'
            when posted.posting_count > 0 then 'ledger'
            when billed.billing_count > 0 then 'invoice'
            when delivered.delivery_count > 0 then 'delivery'
            when ordered.order_count > 0 then 'order'
            else 'deal'
        end as stopped_at,
        first_document.period,
        first_document.document_date
    from roots
    {{ look_up(documents, 'first_document', 'roots.root_key = first_document.document_key') }}
    left join ordered on roots.root_key = ordered.root_key
    left join delivered on roots.root_key = delivered.root_key
    left join billed on roots.root_key = billed.root_key
    left join posted on roots.root_key = posted.root_key
    left join paid on roots.root_key = paid.root_key
    left join customers on first_document.customer_key = customers.customer_key
)

{{ versioned('chains') }}
