{# Payouts to the bank, with what they are made of: charges, what came back, and the vendor's fees. #}
with movements as (
    select
        connection,
        payout_id,
        sum(amount) as gross_amount,
        sum(fee) as fee_amount,
        sum(net) as net_amount,
        count(*) as movement_count,
        count(distinct order_id) as order_count
    from {{ ref('base_shopify__balance_transactions') }}
    where not is_test
    group by connection, payout_id
)

select
    payout.connection,
    payout.id as payout_id,
    payout.status,
    payout.transaction_type,
    payout.currency as currency_code,
    payout.net as payout_amount,
    movements.gross_amount,
    movements.fee_amount,
    movements.net_amount as movement_amount,
    coalesce(movements.movement_count, 0) as movement_count,
    coalesce(movements.order_count, 0) as order_count,
    coalesce(payout.net = movements.net_amount, payout.net is null and movements.net_amount is null) as is_whole,
    {{ local_day('payout.issued_at', connection_attribute('payout.connection', 'time_zone')) }} as issued_date
from {{ ref('base_shopify__payouts') }} as payout
left join movements on payout.connection = movements.connection and payout.id = movements.payout_id
