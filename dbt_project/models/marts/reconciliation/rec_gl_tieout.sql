-- The sub-ledger (billing at the day's rate) against the general ledger's revenue, by entity and period, in functional
-- currency. Revenue and deferred revenue are one figure here, so that a release from one to the other is nothing. What
-- the breaks of invoice → ledger, sales inside the group and manual journals explain is explained; the rest is not.
-- What came and went is added to the sums of the last good build, as in rec_summary.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='tieout_key') }}

with subledger as (
    select
        legal_entity_id,
        period,
        sum(case when side = 'left' then weight * amount else 0 end) as subledger_amount,
        sum(
            case
                when outcome <> 'scoped_out' then 0
                when side = 'left' then weight * amount
                else -weight * amount
            end
        ) as explained_amount
    from {{ ref_difference('rec_document') }} as document
    where hop = 'invoice_ledger' and coalesce(reason_code, '') <> 'H2'
    group by legal_entity_id, period
),

ledger as (
    select
        legal_entity_id,
        period,
        sum(weight * amount) as ledger_amount,
        sum(weight * manual_amount) as manual_amount
    from {{ ref_difference('int_rec_postings') }} as posting
    group by legal_entity_id, period
),

effects as (
    select
        legal_entity_id,
        period,
        sum(weight * amount) as explained_amount
    from {{ ref_difference('rec_break_effect') }} as effect
    where hop = 'invoice_ledger' and reason_code <> 'X'
    group by legal_entity_id, period
),

parts as (
    select
        legal_entity_id,
        period,
        subledger_amount,
        0 as ledger_amount,
        0 as manual_amount,
        explained_amount
    from subledger
    union all
    select
        legal_entity_id,
        period,
        0 as subledger_amount,
        ledger_amount,
        manual_amount,
        -manual_amount as explained_amount
    from ledger
    union all
    select
        legal_entity_id,
        period,
        0 as subledger_amount,
        0 as ledger_amount,
        0 as manual_amount,
        explained_amount
    from effects
    {% if is_partial() %}
        union all
        select
            legal_entity_id,
            period,
            subledger_amount,
            ledger_amount,
            manual_amount,
            explained_amount
        from {{ rows_before(this) }} as earlier
    {% endif %}
),

summed as (
    select
        legal_entity_id,
        period,
        sum(subledger_amount) as subledger_amount,
        sum(ledger_amount) as ledger_amount,
        sum(manual_amount) as manual_amount,
        sum(explained_amount) as explained_amount
    from parts
    group by legal_entity_id, period
),

tied as (
    select
        {{ hash_key(['summed.legal_entity_id', 'summed.period', "'revenue'"]) }} as tieout_key,
        summed.*,
        'revenue' as account_kind,
        entity.functional_currency_code,
        summed.subledger_amount - summed.ledger_amount as difference_amount,
        summed.subledger_amount - summed.ledger_amount - summed.explained_amount as unexplained_amount
    from summed
    left join {{ ref_current('dim_legal_entity') }} as entity on summed.legal_entity_id = entity.legal_entity_id
    where
        summed.subledger_amount <> 0
        or summed.ledger_amount <> 0
        or summed.manual_amount <> 0
        or summed.explained_amount <> 0
)

{{ versioned('tied') }}
