-- Cash and credits, cut into pieces: what each settles of which billing document (`piece`), and the rest that settles
-- nothing (`piece` null). Cash is the right side of invoice → cash. A credit memo is billing, so its pieces are on the left:
-- what it takes off an invoice stands in that invoice's group.
with documents as (
    select * from {{ ref('int_rec_documents') }}
),

settlements as (
    select
        payment_document_key,
        invoice_document_key,
        sum(applied_amount) as applied_amount,
        sum(coalesce(discount_amount, 0)) as discount_amount
    from {{ ref('int_settlements__unioned') }}
    group by payment_document_key, invoice_document_key
),

-- A receipt settles an invoice by a positive amount. What goes back to the customer settles a credit by a negative one.
applied as (
    select
        documents.document_key,
        documents.role,
        settlements.invoice_document_key as piece,
        documents.currency_code,
        documents.period,
        case when documents.role = 'billing' or documents.total_amount < 0 then -1 else 1 end
        * abs(settlements.applied_amount) as amount
    from settlements
    inner join documents on settlements.payment_document_key = documents.document_key
    where
        not documents.is_void
        and (documents.role = 'payment' or documents.is_credit)
        and settlements.applied_amount <> 0
),

used as (
    select
        document_key,
        sum(amount) as amount
    from applied
    group by document_key
),

rests as (
    select
        documents.document_key,
        documents.role,
        cast(null as {{ dbt.type_string() }}) as piece,
        documents.currency_code,
        documents.period,
        documents.total_amount - coalesce(used.amount, 0) as amount
    from documents
    left join used on documents.document_key = used.document_key
    where
        (documents.role = 'payment' or (documents.is_credit and not documents.settles_itself))
        and (documents.total_amount <> coalesce(used.amount, 0) or used.document_key is null)
),

-- Paid at the counter: the header's total is the cash.
at_the_counter as (
    select
        document_key,
        'payment' as role,
        document_key as piece,
        currency_code,
        period,
        coalesce(header_total_amount, total_amount) as amount
    from documents
    where settles_itself
)

select
    document_key,
    case when role = 'billing' then 'left' else 'right' end as side,
    piece,
    currency_code,
    period,
    amount
from applied
union all
select
    document_key,
    case when role = 'billing' then 'left' else 'right' end as side,
    piece,
    currency_code,
    period,
    amount
from rests
union all
select
    document_key,
    'right' as side,
    piece,
    currency_code,
    period,
    amount
from at_the_counter
