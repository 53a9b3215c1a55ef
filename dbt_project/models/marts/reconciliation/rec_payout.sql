-- Payout to bank: what a payment provider paid out against what the books say reached the bank. A payout is many movements less
-- fees, and one amount at the bank. Each payout and each deposit of a business unit that has payouts is one row: together where
-- they are a pair in one currency (side `both`), else by itself. Amounts of a side that the row has not are 0, so that sums over
-- the rows are those of the populations. Pairs: int_payouts__paired; the closed list of reasons: rec_payout_reasons.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='payout_key', scope='all', full_refresh=false
) }}

{% set as_of_date %}cast('{{ var("as_of_date") }}' as date){% endset %}
with payouts as (
    select
        payout.*,
        {{ connection_unit('payout.connection') }} as business_unit
    from {{ ref('int_payouts__unioned') }} as payout
),

deposits as (
    select
        deposit.*,
        units.business_unit
    from {{ ref('int_bank_deposits__unioned') }} as deposit
    inner join (select distinct business_unit from payouts) as units
        on {{ connection_unit('deposit.connection') }} = units.business_unit
),

two_fit as (
    select
        payout_connection,
        payout_id,
        deposit_connection,
        deposit_id
    from {{ ref('int_payouts__paired') }}
    where match_pass = 'two_fit'
),

-- The deposit of a payout, if any; whether one row shows both.
paired as (
    select
        pairs.*,
        coalesce(payouts.currency_code = deposits.currency_code, false) as is_one_row
    from {{ ref('int_payouts__paired') }} as pairs
    inner join payouts on pairs.payout_connection = payouts.connection and pairs.payout_id = payouts.payout_id
    inner join deposits
        on pairs.deposit_connection = deposits.connection and pairs.deposit_id = deposits.deposit_id
    where pairs.choice = 1
),

payout_side as (
    select
        case when paired.is_one_row then 'both' else 'payout' end as side,
        payouts.connection,
        payouts.business_unit,
        payouts.legal_entity_id,
        payouts.currency_code,
        payouts.connection as payout_connection,
        payouts.payout_id,
        payouts.payout_state,
        paired.deposit_connection,
        paired.deposit_id,
        paired.match_pass,
        payouts.gross_amount as payout_gross_amount,
        payouts.fee_amount as payout_fee_amount,
        payouts.net_amount as payout_net_amount,
        payouts.movement_count,
        payouts.order_count,
        payouts.movement_amount = payouts.net_amount as is_whole,
        coalesce(paired.is_one_row, false) and deposits.gross_amount is null as is_fee_elsewhere,
        case when paired.is_one_row then coalesce(deposits.gross_amount, deposits.deposit_amount + payouts.fee_amount) else 0 end
            as deposit_gross_amount,
        case when paired.is_one_row then coalesce(deposits.fee_amount, payouts.fee_amount) else 0 end
            as deposit_fee_amount,
        case when paired.is_one_row then deposits.deposit_amount else 0 end as deposit_amount,
        case
            when paired.is_one_row and payouts.payout_state = 'void' then 'payout_not_paid'
            when paired.is_one_row is false then 'currency_differs'
            when paired.is_one_row then 'paired'
            when exists (
                select 1 from two_fit
                where payouts.connection = two_fit.payout_connection and payouts.payout_id = two_fit.payout_id
            ) then 'two_fit'
            when payouts.payout_state = 'void' or payouts.net_amount = 0 then 'nothing_paid'
            when payouts.net_amount < 0 then 'negative_payout'
            when
                payouts.payout_state = 'pending'
                or {{ dbt.dateadd('day', 'rules.days_to_bank', 'payouts.issued_date') }} >= {{ as_of_date }}
                then 'in_transit'
            else 'deposit_missing'
        end as finding,
        payouts.issued_date
    from payouts
    cross join {{ ref('rec_payout_rules') }} as rules
    left join paired on payouts.connection = paired.payout_connection and payouts.payout_id = paired.payout_id
    left join deposits on paired.deposit_connection = deposits.connection and paired.deposit_id = deposits.deposit_id
),

-- Deposits that no row of a payout shows.
deposit_side as (
    select
        'deposit' as side,
        deposits.connection,
        deposits.business_unit,
        deposits.legal_entity_id,
        deposits.currency_code,
        coalesce(paired.payout_connection, again.payout_connection) as payout_connection,
        coalesce(paired.payout_id, again.payout_id) as payout_id,
        cast(null as {{ dbt.type_string() }}) as payout_state,
        deposits.connection as deposit_connection,
        deposits.deposit_id,
        coalesce(paired.match_pass, again.match_pass) as match_pass,
        0 as payout_gross_amount,
        0 as payout_fee_amount,
        0 as payout_net_amount,
        0 as movement_count,
        0 as order_count,
        true as is_whole,
        deposits.gross_amount is null as is_fee_elsewhere,
        coalesce(deposits.gross_amount, deposits.deposit_amount) as deposit_gross_amount,
        coalesce(deposits.fee_amount, 0) as deposit_fee_amount,
        deposits.deposit_amount,
        case
            when deposits.is_voided then 'deposit_voided'
            when paired.payout_id is not null then 'currency_differs'
            when again.payout_id is not null then 'deposited_twice'
            when exists (
                select 1 from two_fit
                where deposits.connection = two_fit.deposit_connection and deposits.deposit_id = two_fit.deposit_id
            ) then 'two_fit'
            when lower(deposits.reference) like '%' || rules.payout_word || '%' then 'deposit_without_payout'
            else 'other_deposit'
        end as finding,
        cast(null as date) as issued_date
    from deposits
    cross join {{ ref('rec_payout_rules') }} as rules
    left join paired on deposits.connection = paired.deposit_connection and deposits.deposit_id = paired.deposit_id
    left join {{ ref('int_payouts__paired') }} as again
        on deposits.connection = again.deposit_connection and deposits.deposit_id = again.deposit_id and again.choice > 1
    where paired.is_one_row is not true
),

sides as (
    select * from payout_side
    union all
    select * from deposit_side
),

compared as (
    select
        sides.*,
        payout_gross_amount - deposit_gross_amount as gross_difference_amount,
        payout_fee_amount - deposit_fee_amount as fee_difference_amount,
        payout_net_amount - deposit_amount as difference_amount
    from sides
),

found as (
    select
        compared.*,
        case when side = 'deposit' then 'deposit' else 'payout' end as told_by,
        case when side = 'deposit' then deposit_id else payout_id end as told_id,
        case
            when finding <> 'paired' then finding
            when fee_difference_amount <> 0 and (gross_difference_amount = 0 or difference_amount = 0) then 'fee_differs'
            when difference_amount <> 0 then 'amount_differs'
            when not is_whole then 'movements_differ'
        end as reason
    from compared
),

judged as (
    select
        {{ hash_key(['found.told_by', 'found.connection', 'found.told_id']) }} as payout_key,
        found.side,
        found.connection,
        found.business_unit,
        found.legal_entity_id,
        found.payout_connection,
        found.payout_id,
        found.payout_state,
        found.deposit_connection,
        found.deposit_id,
        deposits.document_key as deposit_document_key,
        deposits.deposit_number,
        deposits.source_url as deposit_url,
        found.currency_code,
        found.payout_gross_amount,
        found.payout_fee_amount,
        found.payout_net_amount,
        found.deposit_gross_amount,
        found.deposit_fee_amount,
        found.deposit_amount,
        found.gross_difference_amount,
        found.fee_difference_amount,
        found.difference_amount,
        found.movement_count,
        found.order_count,
        found.is_fee_elsewhere,
        case when found.reason is null then 'matched' else coalesce(reasons.outcome, 'broken') end as outcome,
        found.reason,
        found.match_pass,
        {{ dbt.datediff('found.issued_date', 'deposits.deposit_date', 'day') }} as days_to_bank,  -- noqa: LT05
        found.issued_date,
        deposits.deposit_date,
        case
            when found.side = 'deposit' then {{ period_of('deposits.deposit_date') }}
            else {{ period_of('found.issued_date') }}
        end as period
    from found
    left join deposits on found.deposit_connection = deposits.connection and found.deposit_id = deposits.deposit_id
    left join {{ ref('rec_payout_reasons') }} as reasons on found.reason = reasons.reason
)

{{ versioned('judged') }}
