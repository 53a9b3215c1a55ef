-- What the ledger shows as revenue of billing documents, by document and period, in the seller's view: their rows on accounts
-- of revenue, or of deferred revenue where a schedule releases it later. Journals stand in rec_gl_tieout.
with entries as (
    select
        document_key,
        connection,
        legal_entity_id,
        account_kind,
        functional_currency_code,
        period,
        functional_amount,
        is_manual,
        posting_date
    from {{ ref('int_gl_entries__unioned') }}
    where account_kind in ('revenue', 'deferred')
),

billing as (
    select document_key
    from {{ ref('int_rec_documents') }}
    where role = 'billing'
)

select
    entries.document_key,
    entries.period,
    min(entries.functional_currency_code) as functional_currency_code,
    min(entries.legal_entity_id) as legal_entity_id,
    -sum(entries.functional_amount) as amount,
    min(entries.posting_date) as posting_date
from entries
inner join billing on entries.document_key = billing.document_key
group by entries.document_key, entries.period
