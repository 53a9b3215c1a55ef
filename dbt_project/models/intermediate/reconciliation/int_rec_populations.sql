-- What each hop compares: one row per (hop, side, document, piece). A document is one piece, but for cash: a payment (or a
-- credit memo) is one piece for each invoice that it settles and one for its rest; and for the ledger: one for each period.
-- Amounts are in the hop's measure, before anything is matched or left out.
with documents as (
    select * from {{ ref('int_rec_documents') }}
),

ordered as (
    select
        'deal_order' as hop,
        'left' as side,
        document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        currency_code,
        period,
        net_amount as amount
    from documents
    where role = 'deal'
    union all
    select
        'deal_order' as hop,
        'right' as side,
        document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        currency_code,
        period,
        net_amount as amount
    from documents
    where role = 'order'
),

billed as (
    select
        'order_invoice' as hop,
        'left' as side,
        document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        currency_code,
        period,
        net_amount as amount
    from documents
    where role = 'order'
    union all
    select
        'order_invoice' as hop,
        'right' as side,
        document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        currency_code,
        period,
        net_amount as amount
    from documents
    where role = 'billing'
),

-- Credit memos come in pieces: what they take off an invoice belongs to that invoice.
settled as (
    select
        'invoice_cash' as hop,
        'left' as side,
        document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        currency_code,
        period,
        total_amount as amount
    from documents
    where role = 'billing' and (settles_itself or not is_credit)
    union all
    select
        'invoice_cash' as hop,
        side,
        document_key,
        piece,
        currency_code,
        period,
        amount
    from {{ ref('int_rec_applications') }}
),

posted as (
    select
        'invoice_ledger' as hop,
        'left' as side,
        document_key,
        cast(null as {{ dbt.type_string() }}) as piece,
        functional_currency_code as currency_code,
        period,
        coalesce(functional_net_amount, 0) as amount
    from documents
    where role = 'billing'
    union all
    select
        'invoice_ledger' as hop,
        'right' as side,
        document_key,
        period as piece,
        functional_currency_code as currency_code,
        period,
        amount
    from {{ ref('int_rec_postings') }}
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
    measured.amount
from measured
