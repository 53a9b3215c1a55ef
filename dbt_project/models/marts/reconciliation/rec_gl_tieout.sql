-- The sub-ledger (billing at the day's rate) against the general ledger's revenue, by entity and period, in functional
-- currency. Revenue and deferred revenue are one figure here, so that a release from one to the other is nothing. What
-- the breaks of invoice → ledger, sales inside the group and manual journals explain is explained; the rest is not.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='tieout_key') }}

with documents as (
    select * from {{ ref_current('rec_document') }}
),

subledger as (
    select
        legal_entity_id,
        period,
        min(functional_currency_code) as functional_currency_code,
        sum(case when side = 'left' then amount else 0 end) as subledger_amount,
        sum(
            case
                when outcome = 'scoped_out' and side = 'left' then amount when
                    outcome = 'scoped_out'
                    then -amount
                else 0
            end
        )
            as scoped_amount
    from documents
    where hop = 'invoice_ledger' and coalesce(reason_code, '') <> 'H2'
    group by legal_entity_id, period
),

ledger as (
    select
        legal_entity_id,
        period,
        min(functional_currency_code) as functional_currency_code,
        -sum(functional_amount) as ledger_amount,
        -sum(case when is_manual then functional_amount else 0 end) as manual_amount
    from {{ ref('int_gl_entries__unioned') }}
    where account_kind in ('revenue', 'deferred')
    group by legal_entity_id, period
),

effects as (
    select
        legal_entity_id,
        period,
        sum(amount) as amount
    from {{ ref_current('rec_break_effect') }} as effect
    where hop = 'invoice_ledger' and reason_code <> 'X'
    group by legal_entity_id, period
),

cells as (
    select
        legal_entity_id,
        period
    from subledger
    union
    select
        legal_entity_id,
        period
    from ledger
    union
    select
        legal_entity_id,
        period
    from effects
),

compared as (
    select
        cells.legal_entity_id,
        cells.period,
        'revenue' as account_kind,
        coalesce(subledger.functional_currency_code, ledger.functional_currency_code) as functional_currency_code,
        coalesce(subledger.subledger_amount, 0) as subledger_amount,
        coalesce(ledger.ledger_amount, 0) as ledger_amount,
        coalesce(ledger.manual_amount, 0) as manual_amount,
        coalesce(subledger.subledger_amount, 0) - coalesce(ledger.ledger_amount, 0) as difference_amount,
        coalesce(effects.amount, 0) + coalesce(subledger.scoped_amount, 0) - coalesce(ledger.manual_amount, 0)
            as explained_amount
    from cells
    left join subledger on cells.legal_entity_id = subledger.legal_entity_id and cells.period = subledger.period
    left join ledger on cells.legal_entity_id = ledger.legal_entity_id and cells.period = ledger.period
    left join effects on cells.legal_entity_id = effects.legal_entity_id and cells.period = effects.period
),

tied as (
    select
        {{ hash_key(['legal_entity_id', 'period', 'account_kind']) }} as tieout_key,
        compared.*,
        compared.difference_amount - compared.explained_amount as unexplained_amount
    from compared
)

{{ versioned('tied') }}
