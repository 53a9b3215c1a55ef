-- The right side of invoice → ledger is the ledger: revenue posted by billing documents, by legal entity, to the cent.
with billing as (
    select document_key from {{ ref_current('int_rec_documents') }} as document
    where role = 'billing'
),

ledger as (
    select
        entries.legal_entity_id,
        entries.period,
        -sum(entries.functional_amount) as amount
    from {{ ref('int_gl_entries__unioned') }} as entries
    inner join billing on entries.document_key = billing.document_key
    where entries.account_kind in ('revenue', 'deferred')
    group by entries.legal_entity_id, entries.period
),

judged as (
    select
        legal_entity_id,
        period,
        sum(amount) as amount
    from {{ ref_current('rec_document') }} as document
    where hop = 'invoice_ledger' and side = 'right'
    group by legal_entity_id, period
)

select
    coalesce(ledger.legal_entity_id, judged.legal_entity_id) as legal_entity_id,
    coalesce(ledger.period, judged.period) as period,
    ledger.amount as ledger_amount,
    judged.amount as judged_amount
from ledger
full outer join judged on ledger.legal_entity_id = judged.legal_entity_id and ledger.period = judged.period
where coalesce(ledger.amount, 0) <> coalesce(judged.amount, 0)
