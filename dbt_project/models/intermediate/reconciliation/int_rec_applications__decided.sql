-- Cash that people applied (`tieout documents decide`): what each decision takes of a payment for an invoice. The books go first:
-- what they apply of the two counts towards the decision, and what they leave open of either limits it. Decisions about one
-- document are served in their order. Void, scoped out, of another currency or entity, two documents have no decision: receivables
-- are what the books say, by currency and entity, and open cash must stay equal to them.
{% set documents = ref_current('int_rec_documents') %}
{% set decisions = ref_current('int_rec_decisions') %}
{% set settlements = ref('int_settlements__unioned') %}
{% if model.resource_type != 'unit_test' %}{% set touched = ref('int_rec_touched') %}{% endif %}
with
{% if is_partial_build() -%}
judged_documents as (
    select
        document.connection,
        document.document_id
    {{ from_judged(documents, 'document', 'invoice_cash') }}
),

partners as (
    {% for one, other in [('a', 'b'), ('b', 'a')] -%}
    select
        decision.connection_{{ other }} as connection,
        decision.document_id_{{ other }} as document_id
    from judged_documents as document
    {{ look_up(decisions, 'decision', decided_of('decision', one, 'document')) }}
    where decision.hop = 'invoice_cash'
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

-- Those that are served with them as well.
decided as (
    {% for one in ['a', 'b'] -%}
    select decision.*
    from (
        select * from judged_documents
        union
        select * from partners
    ) as document
    {{ look_up(decisions, 'decision', decided_of('decision', one, 'document')) }}
    where decision.hop = 'invoice_cash' and decision.is_match
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),
{%- else -%}
decided as (
    select *
    from {{ decisions }} as decision
    where hop = 'invoice_cash' and is_match
),
{%- endif %}

pairs as (
    {% for one, other in [('a', 'b'), ('b', 'a')] -%}
    select
        decision.decision_id,
        decision.amount,
        payment.document_key as payment_document_key,
        invoice.document_key as invoice_document_key,
        payment.total_amount as payment_amount,
        coalesce(invoice.header_total_amount, invoice.total_amount) as invoice_amount
    from decided as decision
    {{ look_up(documents, 'payment', decided_of('decision', one, 'payment')) }}
    {{ look_up(documents, 'invoice', decided_of('decision', other, 'invoice')) }}
    where
        payment.role = 'payment'
        and invoice.role = 'billing'
        and not payment.is_void
        and not invoice.is_void
        and not invoice.is_credit
        and not invoice.settles_itself
        and payment.scope_reason is null
        and invoice.scope_reason is null
        and decision.currency_code = payment.currency_code
        and decision.currency_code = invoice.currency_code
        and payment.legal_entity_id = invoice.legal_entity_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

lines as (
    {% for end in ['payment_document_key', 'invoice_document_key'] -%}
    select
        settlement.connection,
        settlement.line_id,
        settlement.payment_document_key,
        settlement.invoice_document_key,
        settlement.applied_amount,
        settlement.discount_amount
    from (select distinct {{ end }} from pairs) as concerned
    {{ look_up(settlements, 'settlement', 'concerned.' ~ end ~ ' = settlement.' ~ end) }}
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

-- As int_rec_applications cuts them.
booked as (
    select
        payment_document_key,
        invoice_document_key,
        abs(sum(applied_amount)) as amount,
        sum(coalesce(discount_amount, 0)) as discount_amount
    from lines
    group by payment_document_key, invoice_document_key
),

paid as (
    select
        payment_document_key,
        sum(amount) as amount
    from booked
    group by payment_document_key
),

settled as (
    select
        booked.invoice_document_key,
        sum(case when document.is_void or document.document_key is null then 0 else booked.amount end)
        + sum(booked.discount_amount) as amount
    from booked
    {{ look_up(documents, 'document', 'booked.payment_document_key = document.document_key', kind='left') }}
    group by booked.invoice_document_key
),

wanted as (
    select
        pairs.decision_id,
        pairs.payment_document_key,
        pairs.invoice_document_key,
        greatest(pairs.amount - coalesce(booked.amount, 0), 0) as amount,
        pairs.payment_amount - coalesce(paid.amount, 0) as payment_rest,
        pairs.invoice_amount - coalesce(settled.amount, 0) as invoice_rest
    from pairs
    left join booked
        on
            pairs.payment_document_key = booked.payment_document_key
            and pairs.invoice_document_key = booked.invoice_document_key
    left join paid on pairs.payment_document_key = paid.payment_document_key
    left join settled on pairs.invoice_document_key = settled.invoice_document_key
),

served as (
    select
        payment_document_key,
        invoice_document_key,
        least(
            amount,
            payment_rest - sum(amount) over (
                partition by payment_document_key order by decision_id rows between unbounded preceding and current row
            ) + amount,
            invoice_rest - sum(amount) over (
                partition by invoice_document_key order by decision_id rows between unbounded preceding and current row
            ) + amount
        ) as applied_amount
    from wanted
)

select
    payment_document_key,
    invoice_document_key,
    applied_amount
from served
where applied_amount > 0
