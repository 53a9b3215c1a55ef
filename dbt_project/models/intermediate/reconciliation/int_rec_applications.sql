-- Cash and credits, cut into pieces: what each settles of which billing document (`piece`), and the rest that settles
-- nothing (`piece` null). Cash is the right side of invoice → cash. A credit memo is billing, so its pieces are on the left:
-- what it takes off an invoice stands in that invoice's group. What people applied (pass 1) goes with what the books did (2).
{% set documents = ref_current('int_rec_documents') %}
{% set ends = ['payment_document_key', 'invoice_document_key'] if is_partial_build() else ['payment_document_key'] %}
with lines as (
    {% for end in ends -%}
    select
        settlement.connection,
        settlement.line_id,
        settlement.payment_document_key,
        settlement.invoice_document_key,
        settlement.applied_amount
    from {{ ref('int_settlements__unioned') }} as settlement
    {{ join_judged("'invoice_cash'", 'settlement.' ~ end) }}
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

settlements as (
    select
        payment_document_key,
        invoice_document_key,
        sum(applied_amount) as applied_amount
    from lines
    group by payment_document_key, invoice_document_key
),

pieces as (
    select
        payment_document_key,
        invoice_document_key,
        abs(applied_amount) as applied_amount,
        2 as match_pass
    from settlements
    where applied_amount <> 0
    union all
    select
        payment_document_key,
        invoice_document_key,
        applied_amount,
        1 as match_pass
    from {{ ref('int_rec_applications__decided') }}
),

-- A receipt settles an invoice by a positive amount. What goes back to the customer settles a credit by a negative one.
applied as (
    select
        document.document_key,
        document.role,
        pieces.invoice_document_key as piece,
        document.currency_code,
        document.period,
        max(pieces.match_pass) as match_pass,
        case when document.role = 'billing' or document.total_amount < 0 then -1 else 1 end
        * sum(pieces.applied_amount) as amount
    from pieces
    inner join {{ documents }} as document on pieces.payment_document_key = document.document_key
    where
        not document.is_void
        and (document.role = 'payment' or document.is_credit)
    group by
        document.document_key, document.role, pieces.invoice_document_key, document.currency_code, document.period,
        document.total_amount
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
        document.document_key,
        document.role,
        cast(null as {{ dbt.type_string() }}) as piece,
        document.currency_code,
        document.period,
        2 as match_pass,
        document.total_amount - coalesce(used.amount, 0) as amount
    {{ from_judged(documents, 'document', 'invoice_cash') }}
    left join used on document.document_key = used.document_key
    where
        (document.role = 'payment' or (document.is_credit and not document.settles_itself))
        and (document.total_amount <> coalesce(used.amount, 0) or used.document_key is null)
),

-- Paid at the counter: the header's total is the cash.
at_the_counter as (
    select
        document.document_key,
        'payment' as role,
        document.document_key as piece,
        document.currency_code,
        document.period,
        2 as match_pass,
        coalesce(document.header_total_amount, document.total_amount) as amount
    {{ from_judged(documents, 'document', 'invoice_cash') }}
    where document.settles_itself
)

select
    document_key,
    case when role = 'billing' then 'left' else 'right' end as side,
    piece,
    currency_code,
    period,
    match_pass,
    amount
from applied
union all
select
    document_key,
    case when role = 'billing' then 'left' else 'right' end as side,
    piece,
    currency_code,
    period,
    match_pass,
    amount
from rests
union all
select
    document_key,
    'right' as side,
    piece,
    currency_code,
    period,
    match_pass,
    amount
from at_the_counter
