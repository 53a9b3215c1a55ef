-- In which cell (entity, period, currency) a break counts. A cut-off takes an amount out of one period and puts it into
-- another, a wrong code out of one currency into another; all other breaks count where they stand. In the group's currency
-- the largest effect of a cell takes the cent that rounding leaves over, so that effects add up there as well.
with effects as (
    select
        break_key,
        hop,
        group_key,
        reason_code,
        business_unit,
        legal_entity_id,
        period,
        currency_code,
        amount,
        1 as part
    from {{ ref('int_rec_breaks') }}
    union all
    select
        break_key,
        hop,
        group_key,
        reason_code,
        business_unit,
        legal_entity_id,
        coalesce(counter_period, period) as period,
        coalesce(counter_currency_code, currency_code) as currency_code,
        -amount as amount,
        2 as part
    from {{ ref('int_rec_breaks') }}
    where counter_period is not null or counter_currency_code is not null
),

cells as (
    select
        hop,
        group_key,
        period,
        currency_code,
        sum(case when side = 'left' then group_amount else -group_amount end) as group_amount,
        max(group_rate) as group_rate
    from {{ ref('int_rec_members') }}
    group by hop, group_key, period, currency_code
),

translated as (
    select
        effects.*,
        coalesce(cells.group_amount, 0) as cell_group_amount,
        {{ round_minor('effects.amount * cells.group_rate', 'in_group.minor_units') }} as rounded_group_amount,
        row_number() over (
            partition by effects.group_key, effects.hop, effects.period, effects.currency_code
            order by abs(effects.amount) desc, effects.reason_code, effects.break_key asc, effects.part asc
        ) as place
    from effects
    inner join cells
        on
            effects.hop = cells.hop
            and effects.group_key = cells.group_key
            and effects.period = cells.period
            and effects.currency_code = cells.currency_code
    cross join {{ ref('dim_currency') }} as in_group
    where in_group.currency_code = {{ group_currency() }}
)

select
    {{ hash_key(['break_key', 'part']) }} as effect_key,
    break_key,
    hop,
    group_key,
    reason_code,
    business_unit,
    legal_entity_id,
    period,
    currency_code,
    part,
    amount,
    rounded_group_amount
    + case
        when place = 1
            then
                cell_group_amount
                - sum(rounded_group_amount) over (partition by group_key, hop, period, currency_code)
        else 0
    end as group_amount
from translated
