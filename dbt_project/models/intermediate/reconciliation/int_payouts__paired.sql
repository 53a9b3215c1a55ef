{#
  Which deposit is which payout's, within a business unit. First by reference: a deposit that names exactly one payout is that
  one's, whatever the amount; of several the one with its amount is first (choice 1), then the earliest. Then by amount, currency
  and days (rec_payout_rules), where one payout fits one deposit and neither fits another. Where several fit, or a deposit
  names several, nobody guesses: they are told as `two_fit`, and no pair.
#}
with payouts as (
    select
        payout.*,
        {{ connection_unit('payout.connection') }} as business_unit
    from {{ ref('int_payouts__unioned') }} as payout
),

deposits as (
    select
        deposit.*,
        {{ connection_unit('deposit.connection') }} as business_unit,
        trim({{ regex_replace("lower(coalesce(deposit.reference, ''))", '[^0-9a-z]+', ' ') }}) as words
    from {{ ref('int_bank_deposits__unioned') }} as deposit
    where not deposit.is_voided
),

words as (
    {% for place in range(1, 13) -%}
    select
        connection,
        deposit_id,
        business_unit,
        {{ dbt.split_part('words', "' '", place) }} as word
    from deposits
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

named as (
    select distinct
        payouts.connection as payout_connection,
        payouts.payout_id,
        words.connection as deposit_connection,
        words.deposit_id
    from words
    inner join payouts on words.business_unit = payouts.business_unit and words.word = lower(payouts.payout_id)
    where words.word <> ''
),

counted as (
    select
        named.*,
        count(*) over (partition by deposit_connection, deposit_id) as payout_count
    from named
),

by_reference as (
    select
        counted.payout_connection,
        counted.payout_id,
        counted.deposit_connection,
        counted.deposit_id,
        row_number() over (
            partition by counted.payout_connection, counted.payout_id
            order by
                case
                    when deposits.currency_code <> payouts.currency_code then 2
                    when deposits.deposit_amount <> payouts.net_amount then 1
                    else 0
                end,
                deposits.deposit_date,
                deposits.connection,
                deposits.deposit_id
        ) as choice
    from counted
    inner join deposits
        on counted.deposit_connection = deposits.connection and counted.deposit_id = deposits.deposit_id
    inner join payouts on counted.payout_connection = payouts.connection and counted.payout_id = payouts.payout_id
    where counted.payout_count = 1
),

unnamed_payouts as (
    select payouts.*
    from payouts
    left join named on payouts.connection = named.payout_connection and payouts.payout_id = named.payout_id
    where named.payout_id is null and payouts.payout_state <> 'void' and payouts.net_amount <> 0
),

unnamed_deposits as (
    select deposits.*
    from deposits
    left join named on deposits.connection = named.deposit_connection and deposits.deposit_id = named.deposit_id
    where named.deposit_id is null
),

fitting as (
    select
        unnamed_payouts.connection as payout_connection,
        unnamed_payouts.payout_id,
        unnamed_deposits.connection as deposit_connection,
        unnamed_deposits.deposit_id,
        count(*) over (partition by unnamed_payouts.connection, unnamed_payouts.payout_id) as deposit_count,
        count(*) over (partition by unnamed_deposits.connection, unnamed_deposits.deposit_id) as payout_count
    from unnamed_payouts
    cross join {{ ref('rec_payout_rules') }} as rules
    inner join unnamed_deposits
        on
            unnamed_payouts.business_unit = unnamed_deposits.business_unit
            and unnamed_payouts.currency_code = unnamed_deposits.currency_code
            and unnamed_payouts.net_amount = unnamed_deposits.deposit_amount
            and unnamed_deposits.deposit_date
            >= {{ dbt.dateadd('day', '-rules.days_before', 'unnamed_payouts.issued_date') }}
            and unnamed_deposits.deposit_date
            <= {{ dbt.dateadd('day', 'rules.days_after', 'unnamed_payouts.issued_date') }}
)

select
    payout_connection,
    payout_id,
    deposit_connection,
    deposit_id,
    'reference' as match_pass,
    choice
from by_reference
union all
select
    payout_connection,
    payout_id,
    deposit_connection,
    deposit_id,
    case when deposit_count = 1 and payout_count = 1 then 'amount' else 'two_fit' end as match_pass,
    case when deposit_count = 1 and payout_count = 1 then 1 else 0 end as choice
from fitting
union all
select
    payout_connection,
    payout_id,
    deposit_connection,
    deposit_id,
    'two_fit' as match_pass,
    0 as choice
from counted
where payout_count > 1
