-- Per hop, entity, period and currency: left less right of the documents in scope is the sum of the effects. In both currencies.
with documents as (
    select
        hop,
        legal_entity_id,
        period,
        currency_code,
        sum(case when side = 'left' then amount else -amount end) as amount,
        sum(case when side = 'left' then group_amount else -group_amount end) as group_amount
    from {{ ref_current('rec_document') }} as document
    where outcome <> 'scoped_out'
    group by hop, legal_entity_id, period, currency_code
),

effects as (
    select
        hop,
        legal_entity_id,
        period,
        currency_code,
        sum(amount) as amount,
        sum(group_amount) as group_amount
    from {{ ref_current('rec_break_effect') }} as effect
    group by hop, legal_entity_id, period, currency_code
)

select
    coalesce(documents.hop, effects.hop) as hop,
    coalesce(documents.legal_entity_id, effects.legal_entity_id) as legal_entity_id,
    coalesce(documents.period, effects.period) as period,
    coalesce(documents.currency_code, effects.currency_code) as currency_code,
    documents.amount as gap_amount,
    effects.amount as effect_amount,
    documents.group_amount as group_gap_amount,
    effects.group_amount as group_effect_amount
from documents
full outer join effects
    on
        documents.hop = effects.hop
        and documents.legal_entity_id = effects.legal_entity_id
        and documents.period = effects.period
        and documents.currency_code = effects.currency_code
where
    coalesce(documents.amount, 0) <> coalesce(effects.amount, 0)
    or coalesce(documents.group_amount, 0) <> coalesce(effects.group_amount, 0)
