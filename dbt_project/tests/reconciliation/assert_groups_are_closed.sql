-- A link never leads from one group into another: the rounds of int_rec_groups were enough.
select
    pairs.hop,
    pairs.left_document_key,
    pairs.right_document_key
from {{ ref('int_rec_pairs') }} as pairs
inner join {{ ref('int_rec_groups') }} as left_group
    on pairs.hop = left_group.hop and left_group.side = 'left' and pairs.left_document_key = left_group.document_key
inner join {{ ref('int_rec_groups') }} as right_group
    on
        pairs.hop = right_group.hop
        and right_group.side = 'right'
        and pairs.right_document_key = right_group.document_key
where left_group.group_key <> right_group.group_key
