-- What each hop compares: one row per (hop, side, document, piece). A document is one piece, but for cash: a payment (or a
-- credit memo) is one piece for each invoice that it settles and one for its rest; and for the ledger: one for each period.
-- Amounts are in the hop's measure, before anything is matched or left out. `match_pass`: who applied a piece of cash.
{% set documents = ref_current('int_rec_documents') %}
with ordered as (
    select
        'deal_order' as hop,
        'left' as side,
        document.document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        document.currency_code,
        document.period,
        cast(null as integer) as match_pass,
        document.net_amount as amount
    from {{ documents }} as document
    {{ join_judged("'deal_order'", 'document.document_key') }}
    where document.role = 'deal'
    union all
    select
        'deal_order' as hop,
        'right' as side,
        document.document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        document.currency_code,
        document.period,
        cast(null as integer) as match_pass,
        document.net_amount as amount
    from {{ documents }} as document
    {{ join_judged("'deal_order'", 'document.document_key') }}
    where document.role = 'order'
),

billed as (
    select
        'order_invoice' as hop,
        'left' as side,
        document.document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        document.currency_code,
        document.period,
        cast(null as integer) as match_pass,
        document.net_amount as amount
    from {{ documents }} as document
    {{ join_judged("'order_invoice'", 'document.document_key') }}
    where document.role = 'order'
    union all
    select
        'order_invoice' as hop,
        'right' as side,
        document.document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        document.currency_code,
        document.period,
        cast(null as integer) as match_pass,
        document.net_amount as amount
    from {{ documents }} as document
    {{ join_judged("'order_invoice'", 'document.document_key') }}
    where document.role = 'billing'
),

-- Credit memos come in pieces: what they take off an invoice belongs to that invoice.
settled as (
    select
        'invoice_cash' as hop,
        'left' as side,
        document.document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        document.currency_code,
        document.period,
        cast(null as integer) as match_pass,
        document.total_amount as amount
    from {{ documents }} as document
    {{ join_judged("'invoice_cash'", 'document.document_key') }}
    where document.role = 'billing' and (document.settles_itself or not document.is_credit)
    union all
    select
        'invoice_cash' as hop,
        application.side,
        application.document_key,
        application.piece,
        application.currency_code,
        application.period,
        application.match_pass,
        application.amount
    from {{ ref('int_rec_applications') }} as application
    {{ join_judged("'invoice_cash'", 'coalesce(application.piece, application.document_key)') }}
),

posted as (
    select
        'invoice_ledger' as hop,
        'left' as side,
        document.document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        document.functional_currency_code as currency_code,
        document.period,
        cast(null as integer) as match_pass,
        coalesce(document.functional_net_amount, 0) as amount
    from {{ documents }} as document
    {{ join_judged("'invoice_ledger'", 'document.document_key') }}
    where document.role = 'billing'
    union all
    select
        'invoice_ledger' as hop,
        'right' as side,
        document.document_key,
        posting.period as piece,
        min(posting.functional_currency_code) as currency_code,
        posting.period,
        cast(null as integer) as match_pass,
        sum(posting.amount) as amount
    from {{ documents }} as document
    {{ join_judged("'invoice_ledger'", 'document.document_key') }}
    inner join {{ ref_current('int_rec_postings') }} as posting on document.document_key = posting.document_key
    where document.role = 'billing'
    group by document.document_key, posting.period
),

measured as (
    select * from ordered
    union all
    select * from billed
    union all
    select * from settled
    union all
    select * from posted
)

select
    {{ hash_key(['measured.hop', 'measured.side', 'measured.document_key', 'measured.piece']) }} as population_key,
    measured.hop,
    measured.side,
    measured.document_key,
    measured.piece,
    measured.currency_code,
    measured.period,
    measured.match_pass,
    measured.amount
from measured
