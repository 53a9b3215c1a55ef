-- Matched, broken and scoped out are all there is: every payout, and every deposit of a unit that has payouts, is in one row of
-- rec_payout, and the amounts of the rows are those of the populations.
with units as (
    select distinct {{ connection_unit('connection') }} as business_unit
    from {{ ref('int_payouts__unioned') }}
),

told as (
    select
        'payouts' as found_in,
        connection,
        currency_code,
        count(*) as row_count,
        sum(net_amount) as amount
    from {{ ref('int_payouts__unioned') }}
    group by connection, currency_code
    union all
    select
        'deposits' as found_in,
        deposit.connection,
        deposit.currency_code,
        count(*) as row_count,
        sum(deposit.deposit_amount) as amount
    from {{ ref('int_bank_deposits__unioned') }} as deposit
    inner join units on {{ connection_unit('deposit.connection') }} = units.business_unit
    group by deposit.connection, deposit.currency_code
),

judged as (
    select
        'payouts' as found_in,
        payout_connection as connection,
        currency_code,
        count(*) as row_count,
        sum(payout_net_amount) as amount
    from {{ ref_current('rec_payout') }} as judged
    where side in ('both', 'payout')
    group by payout_connection, currency_code
    union all
    select
        'deposits' as found_in,
        deposit_connection as connection,
        currency_code,
        count(*) as row_count,
        sum(deposit_amount) as amount
    from {{ ref_current('rec_payout') }} as judged
    where side in ('both', 'deposit')
    group by deposit_connection, currency_code
)

select
    coalesce(told.found_in, judged.found_in) as found_in,
    coalesce(told.connection, judged.connection) as connection,
    coalesce(told.currency_code, judged.currency_code) as currency_code,
    told.row_count,
    judged.row_count as judged_count,
    told.amount,
    judged.amount as judged_amount
from told
full outer join judged
    on
        told.found_in = judged.found_in
        and told.connection = judged.connection
        and told.currency_code = judged.currency_code
where coalesce(told.row_count, 0) <> coalesce(judged.row_count, 0) or coalesce(told.amount, 0) <> coalesce(judged.amount, 0)
