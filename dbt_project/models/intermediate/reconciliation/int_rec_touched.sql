-- What this build judges again. In deal → order and order → invoice documents: those whose left side may have changed, all
-- left sides that they may have now, and everybody who stood in a group with one of these. In invoice → cash and invoice →
-- ledger the groups themselves, which are named by their document. Documents that changed bring their old groups along
-- whole, so a group is always judged with all of its members: before and after it merged, split, or lost one.
-- Not read in a complete build, which judges everything.
{% set documents = ref('int_rec_documents') %}
{% set changes = ref('int_rec_changes') %}
{% set affected = ref('int_rec_affected') %}
{% set links = ref('int_document_links__unioned') %}
{% set settlements = ref('int_settlements__unioned') %}
{% set customers = ref_changed('dim_customer') %}
{% set deliveries = ref_changed('int_rec_deliveries') %}
{% set locks = ref_changed('int_periods__locked') %}
{% set current = ref_current('int_rec_documents') %}
{# What the marts held when the build before this one had ended, by document and by group. #}
{% set stored = left_current('rec_document') %}
{% set breaks = left_current('rec_break') %}
{% set matches = left_current('rec_match') %}
{% set members = left_current('rec_match_member') %}
{# By the indexes of what stands alone, and of what figures matched. #}
{% set same_alone = 'marked.customer_key = document.customer_key and marked.net_amount = document.amount'
    ~ ' and document.match_key is null' %}
{% set same_left = 'marked.customer_key = matches.customer_key and marked.net_amount = matches.left_amount'
    ~ ' and matches.match_pass = 7' %}
{% if is_partial_build() -%}
with changed as (
    select distinct document_key from {{ changes }}
),

-- Predecessors, up to three steps, as int_rec_sources finds them.
first_step as (
    select distinct link.from_document_key as document_key
    from (
        select document_key from {{ affected }}
        where hop = 'order_invoice'
        union
        select settlement.invoice_document_key
        from {{ affected }} as credit
        {{ look_up(settlements, 'settlement', 'credit.document_key = settlement.payment_document_key') }}
        where credit.hop = 'order_invoice'
    ) as target
    {{ look_up(links, 'link', 'target.document_key = link.to_document_key') }}
    where link.link_type in ('created_from', 'order_bill', 'return', 'credit')
),

{% for step, before in [('second', 'first_step'), ('third', 'second_step')] -%}
{{ step }}_step as (
    select distinct link.from_document_key as document_key
    from {{ before }} as target
    {{ look_up(links, 'link', 'target.document_key = link.to_document_key') }}
    where link.link_type in ('created_from', 'order_bill', 'return', 'credit')
),

{% endfor -%}

-- What those that look for a left side refer to: now, and in the version of then.
referring as (
    select
        affected.hop,
        document.business_unit,
        document.document_id,
        document.external_id,
        document.sought_token
    from {{ affected }} as affected
    {{ look_up(current, 'document', 'affected.document_key = document.document_key') }}
    union
    select
        affected.hop,
        change.business_unit,
        change.document_id,
        change.external_id,
        change.sought_token
    from {{ affected }} as affected
    inner join {{ changes }} as change on affected.document_key = change.document_key
),

copies as (
    select document.document_key
    from referring
    {{ look_up(current, 'document', 'referring.document_id = document.external_id and referring.business_unit = document.business_unit') }}
    where referring.hop = 'deal_order'
    union
    select document.document_key
    from referring
    {{ look_up(current, 'document', 'referring.external_id = document.document_id and referring.business_unit = document.business_unit') }}
    where referring.hop = 'deal_order'
    {% for token in ['number_token', 'reference_token'] -%}
    union
    select document.document_key
    from referring
    {{ look_up(current, 'document', 'referring.sought_token = document.' ~ token ~ ' and referring.business_unit = document.business_unit') }}
    where referring.hop = 'deal_order' and document.document_type = 'crm_order'
    {% endfor %}
),

-- Deals of those copies, and deals that were named themselves (they are among the copies, by their id).
lefts as (
    select
        'deal_order' as hop,
        document_key
    from copies
    union
    select
        'deal_order' as hop,
        link.from_document_key as document_key
    from copies
    {{ look_up(links, 'link', 'copies.document_key = link.to_document_key') }}
    where link.link_type = 'deal_order'
    union
    {% for step in ['first', 'second', 'third'] -%}
    select
        'order_invoice' as hop,
        document_key
    from {{ step }}_step
    union
    {% endfor -%}
    {% for token in ['number_token', 'reference_token'] -%}
    select
        'order_invoice' as hop,
        document.document_key
    from referring
    {{ look_up(current, 'document', 'referring.sought_token = document.' ~ token ~ ' and referring.business_unit = document.business_unit') }}
    where referring.hop = 'order_invoice' and document.document_type = 'order'
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

reached as (
    select
        hop,
        document_key
    from {{ affected }}
    union
    select
        hop,
        document_key
    from lefts
    union
    -- orders that a delivery serves, or served
    select
        'order_invoice' as hop,
        order_document_key as document_key
    from {{ deliveries }} as delivery
    {% for hop in ['deal_order', 'order_invoice', 'invoice_cash', 'invoice_ledger'] -%}
    union
    select
        '{{ hop }}' as hop,
        document_key
    from changed
    {% endfor %}
),

-- Groups in which they stand or stood: what is left of them in the marts.
stood as (
    select
        document.hop,
        document.group_key
    from reached
    {{ look_up(stored, 'document', 'reached.document_key = document.document_key') }}
    where reached.hop = document.hop
    union
    select
        document.hop,
        document.group_key
    from {{ left_behind('rec_document') }} as document
    where {{ changed_since_last_build() }}
    union
    select
        break.hop,
        break.group_key
    from {{ left_behind('rec_break') }} as break
    where {{ changed_since_last_build() }}
    union
    -- another name of a customer, in breaks that show it
    select
        break.hop,
        break.group_key
    from (
        select distinct customer_key from {{ customers }} as renamed
    ) as customer
    inner join {{ left_behind('rec_break') }} as break on customer.customer_key = break.customer_key
    where break.superseded_run = {{ open_run() }}
    union
    -- evidence for one another: a multiple that one document more or less has
    select
        break.hop,
        break.group_key
    from {{ left_behind('rec_break') }} as break
    where break.superseded_run = {{ open_run() }} and break.reason_code = 'C7'
    union
    select
        prices.hop,
        prices.group_key
    from (
        select
            hop,
            group_key,
            match_key,
            sum(abs(amount)) as amount
        from {{ left_behind('rec_break') }} as break
        where
            superseded_run = {{ open_run() }}
            and reason_code in ('C1', 'C3', 'C4', 'C6', 'X')
            and hop in ('deal_order', 'order_invoice')
        group by hop, group_key, match_key
    ) as prices
    inner join {{ left_behind('rec_match') }} as matches on prices.match_key = matches.match_key
    where matches.superseded_run = {{ open_run() }} and prices.amount * 2 > abs(matches.left_amount)
    union
    -- posted to another period than the one whose lock is another now
    select
        break.hop,
        break.group_key
    from {{ locks }} as locked
    inner join {{ left_behind('rec_break') }} as break
        on locked.connection = break.connection and locked.period = break.period_opened
    where
        break.superseded_run = {{ open_run() }} and break.hop = 'invoice_ledger' and break.reason_code in ('B1', 'B2')
    union
    -- breaks that turned with the date: due, or of another age
    select
        break.hop,
        break.group_key
    from {{ left_behind('rec_break') }} as break
    where
        break.superseded_run = {{ open_run() }}
        and (
            {% for days in [30, 60, 90] -%}
            {{ between_builds('break.document_date', days + 1) }}
            {% if not loop.last %}or {% endif -%}
            {% endfor %}
        )
    union
    select
        break.hop,
        break.group_key
    from {{ documents }} as document
    inner join {{ left_behind('rec_break') }} as break
        on document.document_key = break.group_key and break.hop = 'invoice_cash'
    where
        document.superseded_run = {{ open_run() }}
        and break.superseded_run = {{ open_run() }}
        and {{ between_builds('document.due_date', 1) }}
),

-- Pieces of cash and credit that changed settle other documents now.
settled as (
    select
        'invoice_cash' as hop,
        settlement.invoice_document_key as group_key
    from changed
    {{ look_up(settlements, 'settlement', 'changed.document_key = settlement.payment_document_key') }}
),

looked_at as (
    select
        hop,
        group_key
    from stood
    union
    select
        hop,
        group_key
    from settled
),

-- A break may name a document of another group: an order that carries a deal's number is the deal's explanation as long as
-- it looks for it in the same build.
named as (
    select
        document.hop,
        document.group_key
    from looked_at
    {{ look_up(breaks, 'break', 'looked_at.hop = break.hop and looked_at.group_key = break.group_key') }}
    {{ look_up(stored, 'document', 'break.counter_document_key = document.document_key') }}
    where break.hop = document.hop and break.hop in ('deal_order', 'order_invoice')
),

groups as (
    select
        hop,
        group_key
    from looked_at
    union
    select
        hop,
        group_key
    from named
),

judged as (
    select
        hop,
        document_key
    from reached
    union
    select
        hop,
        group_key as document_key
    from groups
    union
    -- everybody who stood in such a group
    select
        document.hop,
        document.document_key
    from groups
    {{ look_up(stored, 'document', 'groups.hop = document.hop and groups.group_key = document.group_key') }}
    where groups.hop in ('deal_order', 'order_invoice')
),

-- Who may be taken for the counterpart of one of them by figures alone, or may not any more: within twice the hop's days, as
-- both ends of such a match have theirs. Who stands alone, and who is matched by figures.
figures as (
    select
        judged.hop,
        document.role,
        document.business_unit,
        document.customer_key,
        document.currency_code,
        document.net_amount,
        document.document_date
    from judged
    {{ look_up(current, 'document', 'judged.document_key = document.document_key') }}
    where judged.hop in ('deal_order', 'order_invoice')
    {% for hop in ['deal_order', 'order_invoice'] -%}
    union
    select
        '{{ hop }}' as hop,
        role,
        business_unit,
        customer_key,
        currency_code,
        net_amount,
        document_date
    from {{ changes }}
    {% endfor %}
),

marked as (
    select
        figures.*,
        2 * tolerance.figures_days as most_days
    from figures
    inner join {{ ref('rec_hop_tolerances') }} as tolerance on figures.hop = tolerance.hop
    where
        figures.net_amount > 0
        and (
            {{ is_on_side('figures.hop', 'left', 'figures') }}
            or {{ is_on_side('figures.hop', 'right', 'figures') }}
        )
),

peers as (
    select
        document.hop,
        document.document_key
    from marked
    {{ look_up(stored, 'document', same_alone) }}
    where
        marked.hop = document.hop
        and marked.currency_code = document.currency_code
        and marked.business_unit = document.business_unit
        and {{ within_days('document.document_date', 'marked.document_date', 'marked.most_days') }}
    union
    select
        member.hop,
        member.document_key
    from marked
    {{ look_up(matches, 'matches', same_left) }}
    {{ look_up(members, 'member', 'matches.match_key = member.match_key') }}
    where marked.hop = matches.hop and marked.currency_code = matches.currency_code
),

considered as (
    select
        hop,
        document_key
    from judged
    union
    select
        hop,
        document_key
    from peers
),

-- What a judged order or deal is called: by its own tokens, or by those of the CRM's copies of it.
names as (
    {% for token in ['number_token', 'reference_token'] -%}
    select
        'order_invoice' as hop,
        origin.business_unit,
        origin.{{ token }} as token
    from considered
    {{ look_up(current, 'origin', 'considered.document_key = origin.document_key') }}
    where considered.hop = 'order_invoice' and origin.document_type = 'order'
    union
    select
        'deal_order' as hop,
        copy.business_unit,
        copy.{{ token }} as token
    from considered
    {{ look_up(links, 'link', 'considered.document_key = link.from_document_key') }}
    {{ look_up(current, 'copy', 'link.to_document_key = copy.document_key') }}
    where considered.hop = 'deal_order' and link.link_type = 'deal_order'
    {% if not loop.last %}union{% endif %}
    {% endfor %}
)

select
    hop,
    document_key
from considered
union
-- who stands alone and names one of them: whether it is another customer's is asked again
select
    names.hop,
    follower.document_key
from names
{{ look_up(current, 'follower', 'names.token = follower.sought_token and names.business_unit = follower.business_unit') }}
{{ look_up(stored, 'document', 'follower.document_key = document.document_key') }}
where names.hop = document.hop and document.side = 'right' and document.match_key is null
{%- else -%}
select
    hop,
    document_key
from {{ affected }}
-- depends on {{ ref('rec_hop_tolerances') }},
-- {{ documents }}, {{ links }}, {{ settlements }}, {{ deliveries }}, {{ locks }}: both kinds of build have the same graph
where 1 = 0
{%- endif %}
