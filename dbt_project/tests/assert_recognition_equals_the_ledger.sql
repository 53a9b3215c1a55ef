-- Per connection, entity and period, what the fact recognises is what the ledger entries of revenue accounts say.
with ledger as (
    select
        connection,
        legal_entity_id,
        period,
        -sum(functional_amount) as amount
    from {{ ref('int_gl_entries__unioned') }}
    where account_kind = 'revenue'
    group by connection, legal_entity_id, period
),

fact as (
    select
        connection,
        legal_entity_id,
        posting_period as period,
        sum(posted_functional_amount) as amount
    from {{ ref_current('fct_revenue') }} as revenue
    where event_type = 'recognition' and basis = 'posted'
    group by connection, legal_entity_id, posting_period
)

select
    coalesce(ledger.connection, fact.connection) as connection,
    coalesce(ledger.legal_entity_id, fact.legal_entity_id) as legal_entity_id,
    coalesce(ledger.period, fact.period) as period,
    ledger.amount as ledger_amount,
    fact.amount as fact_amount
from ledger
full outer join fact
    on
        ledger.connection = fact.connection
        and ledger.legal_entity_id = fact.legal_entity_id
        and ledger.period = fact.period
where ledger.amount is distinct from fact.amount
