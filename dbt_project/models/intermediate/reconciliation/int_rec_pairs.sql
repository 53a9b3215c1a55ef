-- Which left and right documents belong together, by which pass, and whether another document had the same name (`has_rival`, 0 or 1).
select
    hop,
    left_document_key,
    right_document_key,
    match_pass,
    has_rival
from {{ ref('int_rec_pairs__named') }}
union all
select
    hop,
    left_document_key,
    right_document_key,
    match_pass,
    has_rival
from {{ ref('int_rec_pairs__figures') }}
