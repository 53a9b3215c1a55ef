-- Which left and right documents belong together, and by which pass.
select
    hop,
    left_document_key,
    right_document_key,
    match_pass
from {{ ref('int_rec_pairs__named') }}
union all
select
    hop,
    left_document_key,
    right_document_key,
    match_pass
from {{ ref('int_rec_pairs__figures') }}
