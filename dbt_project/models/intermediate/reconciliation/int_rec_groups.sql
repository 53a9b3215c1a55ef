-- Which documents of a hop belong together: the connected parts of its pairs, each named by its anchor, the first left
-- document. In trees (an order and its invoices) the first round is final; the others follow chains in which documents of
-- both sides are shared. assert_groups_are_closed proves that the rounds were enough.
with pairs as (
    select hop, left_document_key, right_document_key, match_pass
    from {{ ref('int_rec_pairs') }}
),

first_right as (
    select hop, right_document_key, min(left_document_key) as label
    from pairs
    group by hop, right_document_key
),

first_left as (
    select pairs.hop, pairs.left_document_key, min(first_right.label) as label
    from pairs
    inner join first_right on pairs.hop = first_right.hop and pairs.right_document_key = first_right.right_document_key
    group by pairs.hop, pairs.left_document_key
),

second_right as (
    select pairs.hop, pairs.right_document_key, min(first_left.label) as label
    from pairs
    inner join first_left on pairs.hop = first_left.hop and pairs.left_document_key = first_left.left_document_key
    group by pairs.hop, pairs.right_document_key
),

second_left as (
    select pairs.hop, pairs.left_document_key, min(second_right.label) as label
    from pairs
    inner join second_right on pairs.hop = second_right.hop and pairs.right_document_key = second_right.right_document_key
    group by pairs.hop, pairs.left_document_key
),

third_right as (
    select pairs.hop, pairs.right_document_key, min(second_left.label) as label
    from pairs
    inner join second_left on pairs.hop = second_left.hop and pairs.left_document_key = second_left.left_document_key
    group by pairs.hop, pairs.right_document_key
),

third_left as (
    select pairs.hop, pairs.left_document_key, min(third_right.label) as label
    from pairs
    inner join third_right on pairs.hop = third_right.hop and pairs.right_document_key = third_right.right_document_key
    group by pairs.hop, pairs.left_document_key
),

labelled as (
    select hop, 'left' as side, left_document_key as document_key, label
    from third_left
    union all
    select hop, 'right' as side, right_document_key as document_key, label
    from third_right
),

passes as (
    select third_left.hop, third_left.label, max(pairs.match_pass) as match_pass
    from pairs
    inner join third_left on pairs.hop = third_left.hop and pairs.left_document_key = third_left.left_document_key
    group by third_left.hop, third_left.label
),

anchored as (
    select
        labelled.hop,
        labelled.side,
        labelled.document_key,
        labelled.label,
        passes.match_pass,
        first_value(labelled.document_key) over (
            partition by labelled.hop, labelled.label
            order by labelled.side, document.document_date, document.document_id, labelled.document_key
        ) as group_key
    from labelled
    inner join passes on labelled.hop = passes.hop and labelled.label = passes.label
    inner join {{ ref('int_rec_documents') }} as document on labelled.document_key = document.document_key
)

select
    hop,
    side,
    document_key,
    group_key,
    match_pass
from anchored
