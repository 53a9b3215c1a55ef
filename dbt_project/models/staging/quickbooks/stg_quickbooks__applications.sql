{#
  What payments settle. A payment's lines name what it pays and the credit memos that it uses: the credits are used up first, in
  the order of the lines, and cash pays the rest. So a payment of zero is the application of credit memos, and no document.
  Example: lines invoice 70, invoice 50, credit memo 90, and 30 in cash: the credit memo settles 70 and 20, the cash 30.
#}
with named as (
    select
        line.connection,
        line.document_id as payment_id,
        line.position,
        line.linked_id,
        line.linked_type = 'CreditMemo' as is_credit,
        line.amount,
        line.record_key,
        sum(line.amount) over (
            partition by line.connection, line.document_id, line.linked_type = 'CreditMemo' order by line.position
        ) as upto
    from {{ ref('base_quickbooks__paymentline') }} as line
    where line.kind = 'link' and line.amount > 0 and line.position not like 'h%'
),

credits as (
    select
        connection,
        payment_id,
        sum(amount) as amount
    from named
    where is_credit
    group by connection, payment_id
)

select
    target.connection,
    target.payment_id,
    credit.linked_id as payer_id,
    target.linked_id as invoice_id,
    target.position || '/' || credit.position as part,
    case when target.upto < credit.upto then target.upto else credit.upto end
    - case
        when target.upto - target.amount > credit.upto - credit.amount
            then target.upto - target.amount
        else credit.upto - credit.amount
    end as amount,
    target.record_key
from named as target
inner join named as credit
    on target.connection = credit.connection and target.payment_id = credit.payment_id and credit.is_credit
where
    not target.is_credit
    and target.upto > credit.upto - credit.amount
    and credit.upto > target.upto - target.amount
union all
select
    target.connection,
    target.payment_id,
    target.payment_id as payer_id,
    target.linked_id as invoice_id,
    target.position as part,
    case
        when target.upto - target.amount > coalesce(credits.amount, 0) then target.amount
        else target.upto - coalesce(credits.amount, 0)
    end,
    target.record_key
from named as target
left join credits on target.connection = credits.connection and target.payment_id = credits.payment_id
where not target.is_credit and target.upto > coalesce(credits.amount, 0)
