-- One document proves one thing per hop. A payment (or credit) may be split over invoices: then each piece is in one match.
select
    hop,
    side,
    document_key,
    piece_key,
    count(*) as match_count
from {{ ref_current('rec_match_member') }} as member
group by hop, side, document_key, piece_key
having count(*) > 1
union all
select
    hop,
    side,
    document_key,
    cast(null as {{ dbt.type_string() }}) as piece_key,
    count(distinct match_key) as match_count
from {{ ref_current('rec_match_member') }} as member
where hop <> 'invoice_cash'
group by hop, side, document_key
having count(distinct match_key) > 1
