-- The difference of a match is the sum of its breaks, but for those that only move an amount (B1, B2, D3, E2).
with breaks as (
    select
        match_key,
        sum(case when reason_code in ('B1', 'B2', 'D3', 'E2') then 0 else amount end) as amount
    from {{ ref_current('rec_break') }} as break
    where match_key is not null
    group by match_key
)

select
    matches.match_key,
    matches.hop,
    matches.difference_amount,
    breaks.amount
from {{ ref_current('rec_match') }} as matches
left join breaks on matches.match_key = breaks.match_key
where matches.difference_amount <> coalesce(breaks.amount, 0)
