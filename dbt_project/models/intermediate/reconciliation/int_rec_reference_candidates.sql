-- Which documents of the left side carry the reference of a document that no link places (pass 4): an order's reference is
-- looked for among the numbers and references of the CRM's orders, an invoice's among those of the ERP's orders. Whether
-- customer, currency and amount agree as well decides whether the reference is believed.
with documents as (
    select * from {{ ref('int_rec_documents') }}
),

placed as (
    select distinct
        hop,
        right_document_key
    from {{ ref('int_rec_sources') }}
),

searching as (
    select
        case when documents.role = 'order' then 'deal_order' else 'order_invoice' end as hop,
        documents.document_key,
        documents.customer_key,
        documents.currency_code,
        documents.reference_token,
        documents.net_amount
    from documents
    left join placed
        on
            documents.document_key = placed.right_document_key
            and placed.hop = case when documents.role = 'order' then 'deal_order' else 'order_invoice' end
    where
        documents.scope_reason is null
        and documents.reference_token is not null
        and placed.right_document_key is null
        and (documents.role = 'billing' or (documents.role = 'order' and documents.document_type = 'order'))
),

-- A CRM order's tokens lead to its deal.
carried as (
    select
        'deal_order' as hop,
        deal.document_key,
        deal.customer_key,
        deal.currency_code,
        deal.net_amount,
        copy.number_token,
        copy.reference_token
    from {{ ref('int_document_links__unioned') }} as link
    inner join documents as copy on link.to_document_key = copy.document_key
    inner join documents as deal on link.from_document_key = deal.document_key
    where link.link_type = 'deal_order' and deal.role = 'deal'
    union all
    select
        'order_invoice' as hop,
        document_key,
        customer_key,
        currency_code,
        net_amount,
        number_token,
        reference_token
    from documents
    where role = 'order' and document_type = 'order' and scope_reason is null
),

tokens as (
    select
        hop,
        document_key,
        customer_key,
        currency_code,
        net_amount,
        number_token as token
    from carried
    union
    select
        hop,
        document_key,
        customer_key,
        currency_code,
        net_amount,
        reference_token as token
    from carried
)

select
    searching.hop,
    tokens.document_key as left_document_key,
    searching.document_key as right_document_key,
    coalesce(searching.customer_key = tokens.customer_key, false) as is_same_customer,
    searching.currency_code = tokens.currency_code as is_same_currency,
    searching.net_amount = tokens.net_amount as is_same_amount
from searching
inner join tokens on searching.hop = tokens.hop and searching.reference_token = tokens.token
