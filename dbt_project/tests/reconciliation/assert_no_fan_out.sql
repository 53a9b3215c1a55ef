-- F2: no join of ours may multiply. Rows per key in the intermediate models, and each side of a match as its documents sum.
select
    'int_rec_documents' as model,
    document_key as row_key,
    count(*) as row_count
from {{ ref_current('int_rec_documents') }} as document
group by document_key
having count(*) > 1
union all
select
    'int_rec_populations' as model,
    population_key as row_key,
    count(*) as row_count
from {{ ref('int_rec_populations') }}
group by population_key
having count(*) > 1
union all
select
    'int_rec_members' as model,
    population_key as row_key,
    count(*) as row_count
from {{ ref('int_rec_members') }}
group by population_key
having count(*) > 1
union all
select
    'int_rec_groups' as model,
    hop || side || document_key as row_key,
    count(*) as row_count
from {{ ref('int_rec_groups') }}
group by hop, side, document_key
having count(*) > 1
union all
select
    'int_rec_breaks' as model,
    break_key as row_key,
    count(*) as row_count
from {{ ref('int_rec_breaks') }}
group by break_key
having count(*) > 1
union all
select
    'rec_break' as model,
    'F2' as row_key,
    count(*) as row_count
from {{ ref_current('rec_break') }} as break
where reason_code = 'F2'
having count(*) > 0
