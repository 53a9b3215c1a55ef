-- What the hops judged is what the documents say: both sides of every hop, number of documents and amount, taken from the
-- documents themselves and not from the judgement. Cash comes in pieces, so there the amount counts.
with documents as (
    select * from {{ ref_current('int_rec_documents') }} as document
),

expected as (
    select
        'deal_order' as hop,
        'left' as side,
        count(*) as document_count,
        sum(net_amount) as amount
    from documents
    where role = 'deal'
    union all
    select
        'deal_order' as hop,
        'right' as side,
        count(*) as document_count,
        sum(net_amount) as amount
    from documents
    where role = 'order'
    union all
    select
        'order_invoice' as hop,
        'left' as side,
        count(*) as document_count,
        sum(net_amount) as amount
    from documents
    where role = 'order'
    union all
    select
        'order_invoice' as hop,
        'right' as side,
        count(*) as document_count,
        sum(net_amount) as amount
    from documents
    where role = 'billing'
    union all
    select
        'invoice_cash' as hop,
        'left' as side,
        count(*) as document_count,
        sum(total_amount) as amount
    from documents
    where role = 'billing'
    union all
    select
        'invoice_cash' as hop,
        'right' as side,
        count(*) as document_count,
        sum(case when role = 'payment' then total_amount else coalesce(header_total_amount, total_amount) end) as amount
    from documents
    where role = 'payment' or settles_itself
    union all
    select
        'invoice_ledger' as hop,
        'left' as side,
        count(*) as document_count,
        sum(coalesce(functional_net_amount, 0)) as amount
    from documents
    where role = 'billing'
),

judged as (
    select
        hop,
        side,
        count(distinct document_key) as document_count,
        sum(amount) as amount
    from {{ ref_current('rec_document') }} as document
    group by hop, side
)

select
    expected.hop,
    expected.side,
    expected.document_count,
    judged.document_count as judged_count,
    expected.amount,
    judged.amount as judged_amount
from expected
left join judged on expected.hop = judged.hop and expected.side = judged.side
where
    (expected.document_count > 0 and judged.hop is null)
    or expected.document_count <> coalesce(judged.document_count, 0)
    or coalesce(expected.amount, 0) <> coalesce(judged.amount, 0)
