-- A total of the bridge and the steps after it make the next total, in every entity and period.
with steps as (
    select
        legal_entity_id,
        period,
        cast(floor(step_order / 100.0) as integer) as stage,
        sum(group_amount) as amount
    from {{ ref_current('rec_revenue_bridge') }} as bridge
    where step_order < 600
    group by legal_entity_id, period, cast(floor(step_order / 100.0) as integer)
),

totals as (
    select
        legal_entity_id,
        period,
        cast(step_order / 100 as integer) - 1 as stage,
        group_amount as amount
    from {{ ref_current('rec_revenue_bridge') }} as bridge
    where step_order in (200, 300, 400, 500, 600)
)

select
    coalesce(steps.legal_entity_id, totals.legal_entity_id) as legal_entity_id,
    coalesce(steps.period, totals.period) as period,
    coalesce(steps.stage, totals.stage) as stage,
    steps.amount as arrived_amount,
    totals.amount as total_amount
from steps
full outer join totals
    on steps.legal_entity_id = totals.legal_entity_id and steps.period = totals.period and steps.stage = totals.stage
where coalesce(steps.amount, 0) <> coalesce(totals.amount, 0)
