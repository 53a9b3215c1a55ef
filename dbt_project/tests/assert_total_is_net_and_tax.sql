-- total = net + tax wherever a net is known, in the transaction's currency; settlements know only a total.
select
    event_key,
    net_amount,
    tax_amount,
    total_amount
from {{ ref_current('fct_revenue') }} as revenue
where
    (net_amount is null and event_type not in ('cash', 'cash_refund', 'application', 'delivery'))
    or (net_amount is not null and net_amount + tax_amount is distinct from total_amount)
    or source_amount * source_sign is distinct from total_amount
