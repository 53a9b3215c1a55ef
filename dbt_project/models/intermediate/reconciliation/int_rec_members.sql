-- Every row of the populations that is in scope, with its group, the cell (entity, period, currency) in which it counts,
-- and its amount in the group's currency. A group of one side only is a document without counterpart.
--
-- Everybody in a group counts in the anchor's entity and period, at the anchor's rate: the hop asks whether the document was
-- followed up, not when. Only the ledger hop keeps the period of the posting.
-- Windows are parted by group before hop: a sort compares the first column first, and there are four hops.
{{ config(pre_hook="{{ joined_by_hash() if not is_partial_build() }}") }}
with populations as (
    select * from {{ ref('int_rec_populations') }}
),

scoped as (
    select
        populations.population_key,
        populations.hop,
        populations.side,
        populations.document_key,
        populations.piece,
        populations.currency_code,
        populations.period,
        populations.amount,
        own.document_date,
        own.document_number,
        own.business_unit,
        own.legal_entity_id,
        own.customer_key,
        own.group_rate,
        own.functional_currency_code,
        case
            when populations.hop = 'invoice_ledger' then populations.amount
            when populations.amount = own.net_amount and populations.hop <> 'invoice_cash' then own.functional_net_amount
            when populations.amount = own.total_amount and populations.hop = 'invoice_cash' then own.functional_total_amount
            else {{ round_minor('populations.amount * own.fx_rate', 'own.functional_minor_units') }}
        end as functional_amount,
        own.functional_group_rate,
        case
            when populations.hop in ('invoice_cash', 'invoice_ledger')
                then
                    coalesce(
                        case when populations.hop = 'invoice_cash' then populations.piece end, populations.document_key
                    )
            else coalesce(grouped.group_key, populations.document_key)
        end as group_key,
        case
            when populations.hop = 'invoice_cash' then populations.match_pass
            when populations.hop = 'invoice_ledger' then 2
            else grouped.match_pass
        end as match_pass,
        coalesce(grouped.has_rival, 0) as has_rival
    from populations
    inner join {{ ref_current('int_rec_documents') }} as own on populations.document_key = own.document_key
    left join {{ ref_current('int_rec_documents') }} as settled
        on populations.piece = settled.document_key and populations.hop = 'invoice_cash'
    left join {{ ref('int_rec_groups') }} as grouped
        on
            populations.hop = grouped.hop
            and populations.side = grouped.side
            and populations.document_key = grouped.document_key
    where coalesce(own.scope_reason, settled.scope_reason) is null
),

placed as (
    select
        scoped.population_key,
        scoped.hop,
        scoped.side,
        scoped.document_key,
        scoped.piece,
        scoped.group_key,
        scoped.match_pass,
        scoped.has_rival,
        scoped.currency_code,
        scoped.amount,
        scoped.document_date,
        scoped.document_number,
        scoped.business_unit,
        scoped.legal_entity_id as own_legal_entity_id,
        anchor.legal_entity_id as anchor_legal_entity_id,
        coalesce(anchor.customer_key, scoped.customer_key) as customer_key,
        case
            when scoped.hop = 'invoice_ledger' then scoped.period
            else coalesce(anchor.period, scoped.period)
        end as period,
        case
            when scoped.hop = 'invoice_ledger' then scoped.functional_group_rate
            when scoped.currency_code = anchor.currency_code then anchor.group_rate
            else scoped.group_rate
        end as group_rate,
        scoped.functional_amount,
        scoped.functional_currency_code
    from scoped
    left join {{ ref_current('int_rec_documents') }} as anchor on scoped.group_key = anchor.document_key
),

-- Rounding the running total, not each amount: the parts add up to the rounded whole, so that equal sides stay equal.
-- Both windows in one select: one sort serves them.
running as (
    select
        *,
        coalesce(
            anchor_legal_entity_id, min(own_legal_entity_id) over (partition by group_key, hop)
        ) as legal_entity_id,
        sum(amount) over (
            partition by group_key, hop, side, currency_code, period, group_rate
            order by document_date, document_key, piece
            rows between unbounded preceding and current row
        ) as running_amount
    from placed
)

select
    running.population_key,
    running.hop,
    running.side,
    running.document_key,
    running.piece,
    running.group_key,
    running.match_pass,
    running.has_rival,
    running.business_unit,
    running.legal_entity_id,
    running.customer_key,
    running.currency_code,
    running.period,
    running.amount,
    running.functional_currency_code,
    running.functional_amount,
    {{ round_minor('running.running_amount * running.group_rate', 'in_group.minor_units') }}
    - {{ round_minor('(running.running_amount - running.amount) * running.group_rate', 'in_group.minor_units') }}
        as group_amount,
    running.group_rate,
    running.document_number,
    running.document_date
from running
cross join {{ ref('dim_currency') }} as in_group
where in_group.currency_code = {{ group_currency() }}
