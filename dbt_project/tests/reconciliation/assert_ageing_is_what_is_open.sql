-- Open receivables are, by entity and currency, what invoice → cash finds open: not due, past due, credits and cash applied to
-- nothing. By another way: the ageing reads applications up to its date, the breaks read groups. Future documents are in
-- the breaks only.
with ageing as (
    select
        legal_entity_id,
        currency_code,
        sum(open_amount) as amount
    from {{ ref_current('fin_ar_ageing') }} as ageing
    group by legal_entity_id, currency_code
),

breaks as (
    select
        legal_entity_id,
        currency_code,
        sum(amount) as amount
    from {{ ref_current('rec_break') }} as break
    where
        hop = 'invoice_cash'
        and reason_code not in ('C8', 'C1', 'G1', 'A9')
        and document_date <= cast('{{ var("as_of_date") }}' as date)
    group by legal_entity_id, currency_code
)

select
    coalesce(ageing.legal_entity_id, breaks.legal_entity_id) as legal_entity_id,
    coalesce(ageing.currency_code, breaks.currency_code) as currency_code,
    ageing.amount as ageing_amount,
    breaks.amount as open_amount
from ageing
full outer join breaks
    on ageing.legal_entity_id = breaks.legal_entity_id and ageing.currency_code = breaks.currency_code
where coalesce(ageing.amount, 0) <> coalesce(breaks.amount, 0)
