-- From which document of the left side a document was made, as the systems themselves say (pass 2). A deal's order may be
-- reached over the CRM's copy of it; a credit's order over the invoice, or over the return that the invoice led to.
with documents as (
    select * from {{ ref('int_rec_documents') }}
),

links as (
    select
        from_document_key,
        to_document_key,
        link_type
    from {{ ref('int_document_links__unioned') }}
    where from_document_key is not null and to_document_key is not null
),

copies as (
    select
        copy.document_key as copy_key,
        copy.document_id as copy_id,
        copy.external_id as erp_order_id,
        copy.customer_key,
        deal.document_key as deal_key
    from links
    inner join documents as copy on links.to_document_key = copy.document_key
    inner join documents as deal on links.from_document_key = deal.document_key
    where links.link_type = 'deal_order' and deal.role = 'deal'
),

orders as (
    select
        document_key,
        document_id,
        external_id,
        customer_key
    from documents
    where document_type = 'order' and role = 'order'
),

-- In order of trust. `claimant`: the record that keeps the id.
claims as (
    select
        copies.copy_key as claimant,
        orders.document_key,
        copies.deal_key,
        coalesce(orders.customer_key = copies.customer_key, false) as is_same_customer,
        1 as trust
    from copies
    inner join orders on copies.erp_order_id = orders.document_id
    union all
    select
        orders.document_key as claimant,
        orders.document_key,
        copies.deal_key,
        coalesce(orders.customer_key = copies.customer_key, false) as is_same_customer,
        2 as trust
    from orders
    inner join copies on orders.external_id = copies.copy_id
    union all
    select
        orders.document_key as claimant,
        orders.document_key,
        deal.document_key as deal_key,
        coalesce(orders.customer_key = deal.customer_key, false) as is_same_customer,
        3 as trust
    from orders
    inner join documents as deal on orders.external_id = deal.document_id and deal.role = 'deal'
),

-- An id is unique in its connection only. Where several connections have it, the customer decides, or nobody.
counted as (
    select
        *,
        count(*) over (partition by trust, claimant) as candidate_count,
        sum(case when is_same_customer then 1 else 0 end) over (partition by trust, claimant) as same_customer_count
    from claims
),

trusted as (
    select
        document_key,
        deal_key,
        min(trust) over (partition by document_key) as best_trust,
        trust
    from counted
    where candidate_count = 1 or (same_customer_count = 1 and is_same_customer)
),

of_deals as (
    select distinct
        'deal_order' as hop,
        deal_key as left_document_key,
        document_key as right_document_key
    from trusted
    where trust = best_trust
),

-- What follows from what inside the ERP, up to three steps from the order.
steps as (
    select distinct
        links.from_document_key,
        links.to_document_key
    from links
    where links.link_type in ('created_from', 'order_bill', 'return', 'credit')
),

first_step as (
    select
        steps.to_document_key as document_key,
        orders.document_key as order_key
    from steps
    inner join orders on steps.from_document_key = orders.document_key
),

second_step as (
    select
        steps.to_document_key as document_key,
        first_step.order_key
    from steps
    inner join first_step on steps.from_document_key = first_step.document_key
),

third_step as (
    select
        steps.to_document_key as document_key,
        second_step.order_key
    from steps
    inner join second_step on steps.from_document_key = second_step.document_key
),

reached as (
    select
        document_key,
        order_key,
        1 as distance
    from first_step
    union all
    select
        document_key,
        order_key,
        2 as distance
    from second_step
    union all
    select
        document_key,
        order_key,
        3 as distance
    from third_step
),

-- A credit that names no predecessor stands with the invoice that it was applied to.
applied as (
    select
        settlement.payment_document_key as document_key,
        first_step.order_key,
        4 as distance
    from {{ ref('int_settlements__unioned') }} as settlement
    inner join first_step on settlement.invoice_document_key = first_step.document_key
),

nearest as (
    select
        document_key,
        order_key,
        distance,
        min(distance) over (partition by document_key) as best_distance
    from (
        select * from reached
        union all
        select * from applied
    ) as found
),

of_orders as (
    select distinct
        'order_invoice' as hop,
        nearest.order_key as left_document_key,
        nearest.document_key as right_document_key
    from nearest
    inner join documents as billing on nearest.document_key = billing.document_key
    where nearest.distance = nearest.best_distance and billing.role = 'billing'
)

select
    hop,
    left_document_key,
    right_document_key
from of_deals
union all
select
    hop,
    left_document_key,
    right_document_key
from of_orders
