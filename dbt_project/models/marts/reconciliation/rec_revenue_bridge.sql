-- From bookings to cash, by entity and period, in the group's currency. Totals have a round step_order (100, 200, …) and are
-- summed from the documents; the steps between two totals come from the breaks and, document by document, from what counts
-- in another period or at another rate at the next hop. That they meet is a test, not a definition.
--
-- The documents that something changed of are summed twice, as they are (weight 1) and as the last good build left them
-- (weight -1), and the difference is added to the bridge of then. A step of nothing is no row.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='bridge_key') }}

{% set among = 'document_key in (select document_key from changed)' %}
{% set moments = [('present', 1), ('past', -1)] if is_partial() else [('present', 1)] %}
{% if is_partial() -%}
with changed as (
    select distinct document_key
    from {{ ref('rec_document') }}
    where {{ changed_since_last_build() }}
    union
    select distinct document_key
    from {{ ref('int_rec_documents') }}
    where {{ changed_since_last_build() }}
),

{% else -%}
with {% endif -%}

{% for when, weight in moments -%}
{{ when }} as (
    select
        document.hop,
        document.side,
        document.document_key,
        document.legal_entity_id,
        document.period,
        document.group_amount * {{ weight }} as group_amount,
        own.legal_entity_id as own_entity_id,
        own.period as own_period,
        {{ weight }} as weight
    from {{ ref_current('rec_document') if when == 'present' else ref_before('rec_document', among) }} as document
    inner join {{ ref_current('int_rec_documents') if when == 'present' else ref_before('int_rec_documents', among) }} as own
        on document.document_key = own.document_key
    {% if is_partial() and when == 'present' -%}
    inner join changed on document.document_key = changed.document_key
    {% endif -%}
    where document.outcome <> 'scoped_out'
),

{% endfor -%}
members as (
    {% for when, weight in moments -%}
    select * from {{ when }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

totals as (
    select
        legal_entity_id,
        period,
        'bookings' as step,
        100 as step_order,
        sum(group_amount) as group_amount
    from members
    where hop = 'deal_order' and side = 'left'
    group by legal_entity_id, period
    union all
    select
        legal_entity_id,
        period,
        'orders' as step,
        200 as step_order,
        sum(group_amount) as group_amount
    from members
    where hop = 'order_invoice' and side = 'left'
    group by legal_entity_id, period
    union all
    select
        legal_entity_id,
        period,
        'billings' as step,
        300 as step_order,
        sum(group_amount) as group_amount
    from members
    where hop = 'invoice_ledger' and side = 'left'
    group by legal_entity_id, period
    union all
    select
        legal_entity_id,
        period,
        'revenue' as step,
        400 as step_order,
        sum(group_amount) as group_amount
    from members
    where hop = 'invoice_ledger' and side = 'right'
    group by legal_entity_id, period
    union all
    select
        legal_entity_id,
        period,
        'billings with tax' as step,
        500 as step_order,
        sum(group_amount) as group_amount
    from members
    where hop = 'invoice_cash' and side = 'left'
    group by legal_entity_id, period
    union all
    select
        own_entity_id as legal_entity_id,
        own_period as period,
        'cash' as step,
        600 as step_order,
        sum(group_amount) as group_amount
    from members
    where hop = 'invoice_cash' and side = 'right'
    group by own_entity_id, own_period
),

-- Breaks: what the left side has and the right side has not is taken off. Cash starts from billing again, so that the ledger's
-- differences are given back on the way from revenue to billing with tax.
broken as (
    select
        effects.legal_entity_id,
        effects.period,
        reasons.reason_code || ' ' || reasons.reason_name as step,
        case effects.hop
            when 'deal_order' then 110
            when 'order_invoice' then 210
            when 'invoice_ledger' then 310
            else 510
        end + reasons.reason_order as step_order,
        -effects.weight * effects.group_amount as group_amount
    from {{ ref_difference('rec_break_effect') }} as effects
    inner join {{ ref('rec_break_reasons') }} as reasons on effects.reason_code = reasons.reason_code
    union all
    select
        legal_entity_id,
        period,
        'ledger differences given back' as step,
        410 as step_order,
        weight * group_amount as group_amount
    from {{ ref_difference('rec_break_effect') }} as effects
    where hop = 'invoice_ledger'
),

-- The same document at the end of one hop and at the beginning of the next. It is one row in each, so it is brought together
-- by grouping: a planner cannot know how many there are, and would join them row by row.
handed as (
    select
        document_key,
        min(case when side = 'right' then legal_entity_id end) as from_entity_id,
        min(case when side = 'right' then period end) as from_period,
        min(case when side = 'right' then group_amount end) as from_amount,
        min(case when side = 'left' then legal_entity_id end) as to_entity_id,
        min(case when side = 'left' then period end) as to_period,
        min(case when side = 'left' then group_amount end) as to_amount,
        min(case when hop = 'deal_order' or (hop = 'order_invoice' and side = 'left') then 190 else 290 end) as step_order
    from members
    where
        (hop in ('deal_order', 'order_invoice') and side = 'right')
        or (hop in ('order_invoice', 'invoice_ledger') and side = 'left')
    group by
        document_key,
        weight,
        case when hop = 'deal_order' or (hop = 'order_invoice' and side = 'left') then 190 else 290 end
    having count(case when side = 'right' then 1 end) = 1 and count(case when side = 'left' then 1 end) = 1
),

shifted as (
    select
        from_entity_id as legal_entity_id,
        from_period as period,
        'counted in another period' as step,
        step_order,
        -from_amount as group_amount
    from handed
    where from_entity_id <> to_entity_id or from_period <> to_period
    union all
    select
        to_entity_id as legal_entity_id,
        to_period as period,
        'counted in another period' as step,
        step_order,
        from_amount as group_amount
    from handed
    where from_entity_id <> to_entity_id or from_period <> to_period
    union all
    select
        to_entity_id as legal_entity_id,
        to_period as period,
        'rate of another day' as step,
        step_order + 1 as step_order,
        to_amount - from_amount as group_amount
    from handed
),

-- Tax: what the document asks for beyond its net, in the document's own period.
with_tax as (
    select
        document_key,
        weight,
        sum(group_amount) as group_amount
    from members
    where hop = 'invoice_cash' and side = 'left'
    group by document_key, weight
),

taxed as (
    select
        net.legal_entity_id,
        net.period,
        'tax' as step,
        420 as step_order,
        coalesce(with_tax.group_amount, 0) - net.group_amount as group_amount
    from members as net
    left join with_tax on net.document_key = with_tax.document_key and net.weight = with_tax.weight
    where net.hop = 'invoice_ledger' and net.side = 'left'
),

-- A credit counts, as far as it is applied, in its invoice's period; cash in the payment's.
credited as (
    select
        pieces.legal_entity_id,
        pieces.period,
        'credits in the period of their invoice' as step,
        430 as step_order,
        pieces.group_amount
    from members as pieces
    where pieces.hop = 'invoice_cash' and pieces.side = 'left'
    union all
    select
        net.legal_entity_id,
        net.period,
        'credits in the period of their invoice' as step,
        430 as step_order,
        -with_tax.group_amount as group_amount
    from members as net
    inner join with_tax on net.document_key = with_tax.document_key and net.weight = with_tax.weight
    where net.hop = 'invoice_ledger' and net.side = 'left'
),

received as (
    select
        pieces.legal_entity_id,
        pieces.period,
        'paid in another period' as step,
        590 as step_order,
        -pieces.group_amount as group_amount
    from members as pieces
    where pieces.hop = 'invoice_cash' and pieces.side = 'right'
    union all
    select
        pieces.own_entity_id as legal_entity_id,
        pieces.own_period as period,
        'paid in another period' as step,
        590 as step_order,
        pieces.group_amount
    from members as pieces
    where pieces.hop = 'invoice_cash' and pieces.side = 'right'
),

steps as (
    select
        legal_entity_id,
        period,
        step,
        step_order,
        group_amount
    from broken
    union all
    select
        legal_entity_id,
        period,
        step,
        step_order,
        group_amount
    from shifted
    union all
    select
        legal_entity_id,
        period,
        step,
        step_order,
        group_amount
    from taxed
    union all
    select
        legal_entity_id,
        period,
        step,
        step_order,
        group_amount
    from credited
    union all
    select
        legal_entity_id,
        period,
        step,
        step_order,
        group_amount
    from received
    union all
    select
        legal_entity_id,
        period,
        step,
        step_order,
        group_amount
    from totals
    {% if is_partial() %}
        union all
        select
            legal_entity_id,
            period,
            step,
            step_order,
            group_amount
        from {{ rows_before(this) }} as earlier
    {% endif %}
),

summed as (
    select
        legal_entity_id,
        period,
        step,
        step_order,
        sum(group_amount) as group_amount
    from steps
    group by legal_entity_id, period, step, step_order
    having sum(group_amount) <> 0
),

bridge as (
    select
        {{ hash_key(['legal_entity_id', 'period', 'step_order']) }} as bridge_key,
        legal_entity_id,
        period,
        {{ group_currency() }} as group_currency_code,
        step,
        step_order,
        group_amount
    from summed
)

{{ versioned('bridge') }}
