-- Which documents of a hop belong together: the connected parts of its pairs, each named by its anchor, the first left
-- document. Every pair takes the smallest label that its right document sees, then its left one, in turns. In trees (an order
-- and its invoices) the first round is final; the others follow chains in which documents of both sides are shared.
-- assert_groups_are_closed proves that the rounds were enough.
with pairs as (
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        has_rival,
        left_document_key as label
    from {{ ref('int_rec_pairs') }}
),

first_right as (
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        has_rival,
        min(label) over (partition by right_document_key, hop) as label
    from pairs
),

first_left as (
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        has_rival,
        min(label) over (partition by left_document_key, hop) as label
    from first_right
),

second_right as (
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        has_rival,
        min(label) over (partition by right_document_key, hop) as label
    from first_left
),

second_left as (
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        has_rival,
        min(label) over (partition by left_document_key, hop) as label
    from second_right
),

third_right as (
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        has_rival,
        min(label) over (partition by right_document_key, hop) as label
    from second_left
),

labelled as (
    select
        hop,
        left_document_key,
        right_document_key,
        match_pass,
        has_rival,
        min(label) over (partition by left_document_key, hop) as label
    from third_right
),

documents as (
    select
        hop,
        'left' as side,
        left_document_key as document_key,
        min(label) as label,
        max(match_pass) as match_pass,
        max(has_rival) as has_rival
    from labelled
    group by left_document_key, hop
    union all
    select
        hop,
        'right' as side,
        right_document_key as document_key,
        min(label) as label,
        max(match_pass) as match_pass,
        max(has_rival) as has_rival
    from labelled
    group by right_document_key, hop
)

select
    documents.hop,
    documents.side,
    documents.document_key,
    first_value(documents.document_key) over (
        partition by documents.label, documents.hop
        order by documents.side, described.document_date, described.document_id, documents.document_key
    ) as group_key,
    max(documents.match_pass) over (partition by documents.label, documents.hop) as match_pass,
    max(documents.has_rival) over (partition by documents.label, documents.hop) as has_rival
from documents
inner join {{ ref_current('int_rec_documents') }} as described on documents.document_key = described.document_key
