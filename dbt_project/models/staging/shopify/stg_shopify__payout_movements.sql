{# What payouts are made of, each with the order that it is about. #}
with movements as (
    select
        movement.connection,
        movement.payout_id,
        movement.id as movement_id,
        lower(movement.movement_type) as movement_type,
        case
            when movement.order_id is not null then {{ document_key('movement.connection', "'deal'", 'movement.order_id') }}
        end as order_document_key,
        movement.order_name as order_number,
        movement.currency as currency_code,
        movement.amount as gross_amount,
        movement.fee as fee_amount,
        movement.net as net_amount,
        {{ local_day('movement.transaction_date', connection_attribute('movement.connection', 'time_zone')) }}
            as movement_date
    from {{ ref('base_shopify__balance_transactions') }} as movement
    where not movement.is_test
)

{{ select_contract('payout_movements', 'movements') }}
