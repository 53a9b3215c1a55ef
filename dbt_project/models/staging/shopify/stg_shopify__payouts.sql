{# Payouts to the bank, with what they are made of: charges, what came back, and the vendor's fees. #}
with movements as (
    select
        connection,
        payout_id,
        sum(amount) as gross_amount,
        sum(fee) as fee_amount,
        sum(net) as movement_amount,
        count(*) as movement_count,
        count(distinct order_id) as order_count
    from {{ ref('base_shopify__balance_transactions') }}
    where not is_test
    group by connection, payout_id
),

payouts as (
    select
        payout.connection,
        payout.id as payout_id,
        {{ legal_entity('payout.connection', 'payout.business_entity_id') }} as legal_entity_id,
        state.payout_state,
        payout.currency as currency_code,
        payout.net as net_amount,
        coalesce(movements.gross_amount, 0) as gross_amount,
        coalesce(movements.fee_amount, 0) as fee_amount,
        coalesce(movements.movement_amount, 0) as movement_amount,
        coalesce(movements.movement_count, 0) as movement_count,
        coalesce(movements.order_count, 0) as order_count,
        {{ local_day('payout.issued_at', connection_attribute('payout.connection', 'time_zone')) }} as issued_date
    from {{ ref('base_shopify__payouts') }} as payout
    left join movements on payout.connection = movements.connection and payout.id = movements.payout_id
    left join {{ ref('map_shopify_payout_status') }} as state on payout.status = state.status
)

{{ select_contract('payouts', 'payouts') }}
