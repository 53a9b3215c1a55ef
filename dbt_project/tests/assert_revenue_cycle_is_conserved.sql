-- What was charged is approved, reduced, denied, withdrawn or pending; what was billed is paid or open; what is open has an age.
-- And nothing is lost or counted twice on the way: charges are those of all claims, open amounts those of the ageing.
with cycles as (
    select *
    from {{ ref_current('fin_revenue_cycle') }} as cycle
),

rows_apart as (
    select
        'row ' || cycle_key as found_in,
        charged_amount as one_amount,
        approved_amount + reduced_amount + denied_amount + withdrawn_amount + pending_amount as other_amount
    from cycles
    union all
    select
        'row ' || cycle_key as found_in,
        billed_amount as one_amount,
        paid_amount + short_paid_amount + unpaid_amount as other_amount
    from cycles
    union all
    select
        'row ' || cycle_key as found_in,
        open_amount as one_amount,
        not_due_amount + overdue_30_amount + overdue_60_amount + overdue_90_amount + overdue_more_amount + credit_amount
            as other_amount
    from cycles
),

charged as (
    select
        connection,
        currency_code,
        sum(charged_amount) as amount
    from {{ ref('int_claims__unioned') }}
    group by connection, currency_code
),

told as (
    select
        connection,
        currency_code,
        sum(charged_amount) as amount
    from cycles
    group by connection, currency_code
),

charges as (
    select
        'charged of ' || coalesce(charged.connection, told.connection) as found_in,
        coalesce(charged.amount, 0) as one_amount,
        coalesce(told.amount, 0) as other_amount
    from charged
    full outer join told on charged.connection = told.connection and charged.currency_code = told.currency_code
),

-- By another way than the mart's: from what is open back to the claims, by chains.
claims as (
    select claim_document_key as document_key
    from {{ ref('int_claims__unioned') }}
    where claim_document_key is not null
),

aged as (
    select
        ageing.currency_code,
        sum(ageing.open_amount) as amount
    from {{ ref_current('fin_ar_ageing') }} as ageing
    where
        ageing.document_key in (
            select bill.document_key
            from {{ ref_current('rec_document') }} as bill
            inner join {{ ref_current('rec_document') }} as sales_order on bill.group_key = sales_order.document_key
            where
                bill.hop = 'order_invoice'
                and bill.side = 'right'
                and sales_order.hop = 'deal_order'
                and sales_order.side = 'right'
                and sales_order.group_key in (select document_key from claims)
        )
    group by ageing.currency_code
),

opened as (
    select
        currency_code,
        sum(open_amount) as amount
    from cycles
    group by currency_code
),

open_amounts as (
    select
        'open in ' || coalesce(aged.currency_code, opened.currency_code) as found_in,
        coalesce(aged.amount, 0) as one_amount,
        coalesce(opened.amount, 0) as other_amount
    from aged
    full outer join opened on aged.currency_code = opened.currency_code
)

select * from rows_apart
where one_amount <> other_amount
union all
select * from charges
where one_amount <> other_amount
union all
select * from open_amounts
where one_amount <> other_amount
