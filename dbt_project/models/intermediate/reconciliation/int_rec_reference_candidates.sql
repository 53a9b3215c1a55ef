-- Which documents of the left side, in the same business unit, carry the reference of a document that no link places (pass 4),
-- or what the cross-reference table says that it means (pass 3): an order's is looked for among the numbers and references of
-- the CRM's orders, an invoice's among those of the ERP's orders. Whether customer, currency and amount agree as well decides
-- whether a reference is believed.
{{ config(pre_hook="{{ joined_by_hash() if not is_partial_build() }}") }}
{% set documents = ref_current('int_rec_documents') %}
with placed as (
    select distinct
        hop,
        right_document_key
    from {{ ref('int_rec_sources') }}
),

looking as (
    select
        case when role = 'order' then 'deal_order' else 'order_invoice' end as hop,
        document_key,
        business_unit,
        customer_key,
        currency_code,
        sought_token,
        is_cross_referenced,
        net_amount,
        document_date
    from {{ documents }} as document
    where
        scope_reason is null
        and sought_token is not null
        and (role = 'billing' or (role = 'order' and document_type = 'order'))
),

searching as (
    select
        looking.*,
        tolerance.figures_days
    from looking
    inner join {{ ref('rec_hop_tolerances') }} as tolerance on looking.hop = tolerance.hop
    {{ join_judged('looking.hop', 'looking.document_key') }}
    left join placed on looking.hop = placed.hop and looking.document_key = placed.right_document_key
    where placed.right_document_key is null
),

-- A CRM order's tokens lead to its deal.
found as (
    {% for token in ['number_token', 'reference_token'] -%}
    select
        searching.hop,
        deal.document_key as left_document_key,
        searching.document_key as right_document_key,
        coalesce(searching.customer_key = deal.customer_key, false) as is_same_customer,
        searching.currency_code = deal.currency_code as is_same_currency,
        searching.net_amount = deal.net_amount as is_same_amount,
        {{ is_telling('searching', 'deal') }} as is_telling,
        searching.is_cross_referenced
    from searching
    inner join {{ documents }} as copy
        on searching.sought_token = copy.{{ token }} and searching.business_unit = copy.business_unit
    inner join {{ ref('int_document_links__unioned') }} as link on copy.document_key = link.to_document_key
    inner join {{ documents }} as deal on link.from_document_key = deal.document_key
    where
        searching.hop = 'deal_order'
        and link.link_type = 'deal_order'
        and deal.role = 'deal'
        and deal.scope_reason is null
    union
    select
        searching.hop,
        origin.document_key as left_document_key,
        searching.document_key as right_document_key,
        coalesce(searching.customer_key = origin.customer_key, false) as is_same_customer,
        searching.currency_code = origin.currency_code as is_same_currency,
        searching.net_amount = origin.net_amount as is_same_amount,
        {{ is_telling('searching', 'origin') }} as is_telling,
        searching.is_cross_referenced
    from searching
    inner join {{ documents }} as origin
        on searching.sought_token = origin.{{ token }} and searching.business_unit = origin.business_unit
    where
        searching.hop = 'order_invoice'
        and origin.role = 'order'
        and origin.document_type = 'order'
        and origin.scope_reason is null
    {% if not loop.last %}union{% endif %}
    {% endfor %}
)

select
    hop,
    left_document_key,
    right_document_key,
    is_same_customer,
    is_same_currency,
    is_same_amount,
    is_telling,
    is_cross_referenced
from found
