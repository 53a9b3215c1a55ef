-- Which left and right documents belong together, and by which pass: explicit links first (2), then a reference with the same
-- customer and currency, or customer and figures (4). First match wins. A reference that several documents carry is believed
-- only where exactly one of them has the same amount: neither order nor ids break ties.
with linked as (
    select
        sources.hop,
        sources.left_document_key,
        sources.right_document_key
    from {{ ref('int_rec_sources') }} as sources
    inner join {{ ref_current('int_rec_documents') }} as left_document
        on sources.left_document_key = left_document.document_key
    inner join {{ ref_current('int_rec_documents') }} as right_document
        on sources.right_document_key = right_document.document_key
    where left_document.scope_reason is null and right_document.scope_reason is null
),

counted as (
    select
        hop,
        left_document_key,
        right_document_key,
        is_same_amount,
        count(*) over (partition by hop, right_document_key) as candidate_count,
        sum(case when is_same_amount then 1 else 0 end) over (partition by hop, right_document_key) as same_amount_count
    from {{ ref('int_rec_reference_candidates') }}
    -- the same figures under another currency code are a wrong code rather than another document
    where is_same_customer and (is_same_currency or is_same_amount)
)

select
    hop,
    left_document_key,
    right_document_key,
    2 as match_pass
from linked
union all
select
    hop,
    left_document_key,
    right_document_key,
    4 as match_pass
from counted
where candidate_count = 1 or (same_amount_count = 1 and is_same_amount)
