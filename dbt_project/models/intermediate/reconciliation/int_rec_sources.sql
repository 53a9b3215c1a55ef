-- From which document of the left side a document was made, as the systems themselves say (pass 2). A deal's order may be
-- reached over the CRM's copy of it; a credit's order over the invoice, or over the return that the invoice led to.
{% set documents = ref_current('int_rec_documents') %}
{# In place of a step of its own, which would be read whole: this is looked up. #}
{% set links %}
(
        select
            from_document_key,
            to_document_key
        from {{ ref('int_document_links__unioned') }}
        where link_type in ('created_from', 'order_bill', 'return', 'credit')
    )
{%- endset %}
with looking as (
    select distinct
        document.business_unit,
        document.document_id
    from {{ documents }} as document
    {{ join_judged("'deal_order'", 'document.document_key') }}
    where document.document_type = 'order' and document.role = 'order'
),

-- Whoever in the unit has the id of one that looks for its deal: whether an id is believed depends on how many there are.
orders as (
    select
        document.document_key,
        document.business_unit,
        document.document_id,
        document.external_id,
        document.customer_key
    from looking
    inner join {{ documents }} as document
        on looking.document_id = document.document_id and looking.business_unit = document.business_unit
    where document.document_type = 'order' and document.role = 'order'
),

-- In order of trust. `claimant`: the record that keeps the id.
claims as (
    select
        copy.document_key as claimant,
        orders.document_key,
        deal.document_key as deal_key,
        coalesce(orders.customer_key = copy.customer_key, false) as is_same_customer,
        1 as trust
    from orders
    {{ look_up(documents, 'copy', 'orders.document_id = copy.external_id and orders.business_unit = copy.business_unit') }}
    {{ look_up(ref('int_document_links__unioned'), 'link', 'copy.document_key = link.to_document_key') }}
    {{ look_up(documents, 'deal', 'link.from_document_key = deal.document_key') }}
    where link.link_type = 'deal_order' and deal.role = 'deal'
    union all
    select
        orders.document_key as claimant,
        orders.document_key,
        deal.document_key as deal_key,
        coalesce(orders.customer_key = copy.customer_key, false) as is_same_customer,
        2 as trust
    from orders
    {{ look_up(documents, 'copy', 'orders.external_id = copy.document_id and orders.business_unit = copy.business_unit') }}
    {{ look_up(ref('int_document_links__unioned'), 'link', 'copy.document_key = link.to_document_key') }}
    {{ look_up(documents, 'deal', 'link.from_document_key = deal.document_key') }}
    where link.link_type = 'deal_order' and deal.role = 'deal'
    union all
    select
        orders.document_key as claimant,
        orders.document_key,
        deal.document_key as deal_key,
        coalesce(orders.customer_key = deal.customer_key, false) as is_same_customer,
        3 as trust
    from orders
    {{ look_up(documents, 'deal', 'orders.external_id = deal.document_id and orders.business_unit = deal.business_unit') }}
    where deal.role = 'deal'
),

-- An id is unique in its connection only. Where several connections of the unit have it, the customer decides, or nobody.
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

-- What a billing document follows from inside the ERP, up to three steps back to an order.
billing as (
    select document.document_key
    from {{ documents }} as document
    {{ join_judged("'order_invoice'", 'document.document_key') }}
    where document.role = 'billing'
),

first_step as (
    select distinct
        billing.document_key,
        links.from_document_key
    from billing
    {{ look_up(links | trim, 'links', 'billing.document_key = links.to_document_key') }}
),

second_step as (
    select distinct
        first_step.document_key,
        links.from_document_key
    from first_step
    {{ look_up(links | trim, 'links', 'first_step.from_document_key = links.to_document_key') }}
),

third_step as (
    select distinct
        second_step.document_key,
        links.from_document_key
    from second_step
    {{ look_up(links | trim, 'links', 'second_step.from_document_key = links.to_document_key') }}
),

-- A credit that names no predecessor stands with the invoice that it was applied to.
applied as (
    select distinct
        billing.document_key,
        links.from_document_key
    from billing
    {{ look_up(ref('int_settlements__unioned'), 'settlement', 'billing.document_key = settlement.payment_document_key') }}
    {{ look_up(links | trim, 'links', 'settlement.invoice_document_key = links.to_document_key') }}
),

reached as (
    {% for step in ['first_step', 'second_step', 'third_step', 'applied'] -%}
    select
        document_key,
        from_document_key,
        {{ loop.index }} as distance
    from {{ step }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

nearest as (
    select
        reached.document_key,
        origin.document_key as order_key,
        reached.distance,
        min(reached.distance) over (partition by reached.document_key) as best_distance
    from reached
    {{ look_up(documents, 'origin', 'reached.from_document_key = origin.document_key') }}
    where origin.document_type = 'order' and origin.role = 'order'
),

of_orders as (
    select distinct
        'order_invoice' as hop,
        order_key as left_document_key,
        document_key as right_document_key
    from nearest
    where distance = best_distance
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
