-- Documents of the right side of deal → order and order → invoice that may have found another left side, because they
-- changed or because something they refer to did: by a link (up to three steps, as int_rec_sources follows them), by an id
-- that one system keeps of the other's record, by a reference, or as a copy of one another.
{% set changes = ref('int_rec_changes') %}
{% set links = ref('int_document_links__unioned') %}
{% set settlements = ref('int_settlements__unioned') %}
with changed as (
    select distinct document_key from {{ changes }}
),

{% for step, before in [('first', 'changed'), ('second', 'first_step'), ('third', 'second_step')] -%}
{{ step }}_step as (
    select distinct link.to_document_key as document_key
    from {{ before }} as source
    inner join {{ links }} as link on source.document_key = link.from_document_key
    where link.link_type in ('created_from', 'order_bill', 'return', 'credit')
),

{% endfor -%}

billed as (
    select document_key from changed
    union
    select document_key from first_step
    union
    select document_key from second_step
    union
    select document_key from third_step
    union
    -- a credit stands with the invoice that it was applied to
    select settlement.payment_document_key as document_key
    from (
        select document_key from changed
        union
        select document_key from first_step
    ) as invoice
    inner join {{ settlements }} as settlement on invoice.document_key = settlement.invoice_document_key
),

ordered as (
    select document_key from changed
    union
    -- an order that keeps the id of a CRM's order or deal
    select document.document_key
    from {{ changes }} as change
    inner join {{ ref_current('int_rec_documents') }} as document
        on change.document_id = document.external_id and change.business_unit = document.business_unit
    union
    -- the order that a CRM's order keeps the id of
    select document.document_key
    from {{ changes }} as change
    inner join {{ ref_current('int_rec_documents') }} as document
        on change.external_id = document.document_id and change.business_unit = document.business_unit
    union
    -- an id is unique in its connection only: others of the same id in the unit are candidates, too
    select document.document_key
    from {{ changes }} as change
    inner join {{ ref_current('int_rec_documents') }} as document
        on change.document_id = document.document_id and change.business_unit = document.business_unit
    where change.role = 'order'
),

-- Who refers to the number or the reference of a document of the left side; and copies, which carry the same reference.
referring as (
    {% for token in ['number_token', 'reference_token'] -%}
    select
        document.role,
        document.document_key
    from {{ changes }} as change
    inner join {{ ref_current('int_rec_documents') }} as document
        on change.{{ token }} = document.sought_token and change.business_unit = document.business_unit
    where
        (change.document_type = 'crm_order' and document.role = 'order')
        or (change.document_type = 'order' and document.role = 'billing')
    union
    {% endfor -%}
    select
        document.role,
        document.document_key
    from {{ changes }} as change
    inner join {{ ref_current('int_rec_documents') }} as document
        on
            change.reference_token = document.reference_token
            and change.business_unit = document.business_unit
            and change.role = document.role
            and change.customer_key = document.customer_key
            and change.currency_code = document.currency_code
            and change.net_amount = document.net_amount
)

select
    'deal_order' as hop,
    document_key
from ordered
union
select
    'order_invoice' as hop,
    document_key
from billed
union
select
    case when role = 'order' then 'deal_order' else 'order_invoice' end as hop,
    document_key
from referring
where role in ('order', 'billing')
