-- X is zero: every cent of every gap has a reason with evidence, in the cell's currency and in the group's.
select
    summary_key as row_key,
    hop as what,
    unexplained_amount,
    group_unexplained_amount
from {{ ref_current('rec_summary') }} as summary
where unexplained_amount <> 0 or coalesce(group_unexplained_amount, 0) <> 0
union all
select
    tieout_key as row_key,
    'general ledger' as what,
    unexplained_amount,
    0 as group_unexplained_amount
from {{ ref_current('rec_gl_tieout') }} as tieout
where unexplained_amount <> 0
