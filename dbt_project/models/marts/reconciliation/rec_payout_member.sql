-- What payouts and their deposits are made of: each movement of a payout with the order that it is about, each line of a deposit
-- with the receipt that it brings to the bank. One payout is many orders.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='member_key', scope='all', full_refresh=false
) }}

{% set text, day = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as date)' -%}
with rows_of_payouts as (
    select *
    from {{ ref_current('rec_payout') }} as judged
),

members as (
    select
        judged.payout_key,
        'payout' as side,
        movement.connection,
        judged.business_unit,
        judged.legal_entity_id,
        movement.movement_id as member_id,
        movement.movement_type as member_type,
        movement.order_document_key as document_key,
        movement.order_number as document_number,
        {{ text }} as account_code,
        movement.currency_code,
        movement.gross_amount,
        movement.fee_amount,
        movement.net_amount,
        movement.movement_date
    from {{ ref('int_payout_movements__unioned') }} as movement
    inner join rows_of_payouts as judged
        on movement.connection = judged.payout_connection and movement.payout_id = judged.payout_id
    where judged.side in ('both', 'payout')
    union all
    select
        judged.payout_key,
        'deposit' as side,
        line.connection,
        judged.business_unit,
        judged.legal_entity_id,
        line.deposit_id || '/' || line.line_id as member_id,
        case when line.is_fee then 'fee' when line.receipt_number is null then 'other' else 'receipt' end as member_type,
        line.receipt_document_key as document_key,
        line.receipt_number as document_number,
        line.account_code,
        judged.currency_code,
        case when line.is_fee then 0 else line.amount end as gross_amount,
        case when line.is_fee then -line.amount else 0 end as fee_amount,
        line.amount as net_amount,
        {{ day }} as movement_date
    from {{ ref('int_bank_deposit_lines__unioned') }} as line
    inner join rows_of_payouts as judged
        on line.connection = judged.deposit_connection and line.deposit_id = judged.deposit_id
    where judged.side in ('both', 'deposit')
),

keyed as (
    select
        {{ hash_key(['side', 'connection', 'member_id']) }} as member_key,
        members.*
    from members
)

{{ versioned('keyed') }}
