-- Which left and right documents belong together by what somebody says of them, and by which pass: people first (1), then
-- explicit links (2), the cross-reference table (3), whatever customer and currency, then references (4): with the same customer
-- and currency, or customer and figures; or, where the customers are not known as one, with the same figures within the hop's
-- days and nobody else for either. First match wins. A reference that several documents carry is believed only where exactly one
-- of them has the same amount: neither order nor ids break ties.
with decided as (
    select * from {{ ref('int_rec_pairs__decided') }}
),

-- Whom a person has placed stands there alone.
placed as (
    select distinct
        hop,
        right_document_key
    from decided
    where is_match
),

refused as (
    select
        hop,
        left_document_key,
        right_document_key
    from decided
    where not is_match
),

linked as (
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

candidates as (
    select candidate.*
    from {{ ref('int_rec_reference_candidates') }} as candidate
    left join refused
        on
            candidate.hop = refused.hop
            and candidate.left_document_key = refused.left_document_key
            and candidate.right_document_key = refused.right_document_key
    where refused.hop is null
),

counted as (
    select
        hop,
        left_document_key,
        right_document_key,
        is_same_amount,
        case when is_cross_referenced then 3 else 4 end as match_pass,
        count(*) over (partition by right_document_key, hop) as candidate_count,
        sum(case when is_same_amount then 1 else 0 end) over (partition by right_document_key, hop) as same_amount_count
    from candidates
    -- the same figures under another currency code are a wrong code rather than another document
    where is_cross_referenced or (is_same_customer and (is_same_currency or is_same_amount))
),

found as (
    select
        linked.hop,
        linked.left_document_key,
        linked.right_document_key,
        2 as match_pass,
        0 as has_rival
    from linked
    left join refused
        on
            linked.hop = refused.hop
            and linked.left_document_key = refused.left_document_key
            and linked.right_document_key = refused.right_document_key
    where refused.hop is null
    union all
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        case when candidate_count > 1 then 1 else 0 end as has_rival
    from counted
    where candidate_count = 1 or (same_amount_count = 1 and is_same_amount)
),

believed as (
    select
        found.hop,
        found.left_document_key,
        found.right_document_key,
        found.match_pass,
        found.has_rival
    from found
    left join placed on found.hop = placed.hop and found.right_document_key = placed.right_document_key
    where placed.hop is null
    union all
    select
        hop,
        left_document_key,
        right_document_key,
        1 as match_pass,
        0 as has_rival
    from decided
    where is_match
),

-- A name that one document alone answers to, of a customer that is not known as the same.
strangers as (
    select
        candidates.hop,
        candidates.left_document_key,
        candidates.right_document_key,
        candidates.is_same_currency
        and candidates.is_same_amount
        and candidates.is_telling
        and not candidates.is_cross_referenced as is_like,
        count(*) over (partition by candidates.right_document_key, candidates.hop) as left_count,
        count(*) over (partition by candidates.left_document_key, candidates.hop) as right_count
    from candidates
    left join (
        select distinct
            hop,
            left_document_key
        from believed
    ) as taken on candidates.hop = taken.hop and candidates.left_document_key = taken.left_document_key
    -- Who has a left side of its own disputes no other.
    left join (
        select distinct
            hop,
            right_document_key
        from believed
    ) as settled on candidates.hop = settled.hop and candidates.right_document_key = settled.right_document_key
    where taken.hop is null and settled.hop is null
)

select
    hop,
    left_document_key,
    right_document_key,
    match_pass,
    has_rival
from believed
union all
select
    hop,
    left_document_key,
    right_document_key,
    4 as match_pass,
    0 as has_rival
from strangers
where is_like and left_count = 1 and right_count = 1
