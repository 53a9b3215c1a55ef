-- Why deals and orders, orders and billing differ. Each reason gets only what its own evidence yields; what is left of a
-- group is found by int_rec_breaks and named X.
--
-- mistaken: a left document whose number somebody else's document carries: not missing, but perhaps another customer's.
with mistaken as (
    select
        hop,
        mistaken_key as group_key,
        min(document_key) as mistaken_document_key
    from {{ ref('int_rec_loose_ends') }}
    where is_other_customer and mistaken_key is not null
    group by hop, mistaken_key
),

balances as (
    select
        balances.*,
        effects.group_key is not null and not coalesce(effects.is_header_only, false) as has_lines,
        coalesce(effects.is_header_only, false) as is_header_only,
        coalesce(effects.price_amount, 0) as price_amount,
        coalesce(effects.fraction_amount, 0) as fraction_amount,
        coalesce(effects.missing_amount, 0) as missing_amount,
        coalesce(effects.excess_amount, 0) as excess_amount,
        coalesce(effects.delivered_amount, 0) as unbilled_delivered_amount,
        coalesce(effects.left_discount_amount, 0) as left_discount_amount,
        coalesce(effects.right_discount_amount, 0) as right_discount_amount,
        coalesce(effects.left_freight_amount, 0) as left_freight_amount,
        coalesce(effects.right_freight_amount, 0) as right_freight_amount,
        -- the side that took tax into its net exceeds the other by the other's tax
        nullif(
            case when balances.base_amount > 0 then balances.core_tax_amount else -balances.left_tax_amount end, 0
        ) as included_tax_amount,
        scales.greater_side,
        scales.ratio,
        mistaken.mistaken_document_key
    from {{ ref('int_rec_balances') }} as balances
    left join {{ ref('int_rec_line_effects') }} as effects
        on balances.hop = effects.hop and balances.group_key = effects.group_key
    left join {{ ref('int_rec_scales') }} as scales
        on balances.hop = scales.hop and balances.group_key = scales.group_key
    left join mistaken on balances.hop = mistaken.hop and balances.group_key = mistaken.group_key
    where balances.base_amount <> 0
),

-- One kind of explanation per group, the most exact first.
explained as (
    select
        *,
        case
            when left_amount = 0 and has_left_void then 'void'
            when core_count = 0 then 'nothing'
            when abs(base_amount) <= rounding_amount then 'rounding'
            when ratio is not null then 'scale'
            -- an unbilled rest may happen to equal the tax: only where nothing is missing is the tax the reason
            when base_amount = included_tax_amount and has_lines and missing_amount = 0 and excess_amount = 0 then 'tax'
            when has_lines then 'lines'
            when hop = 'order_invoice' and has_schedule and base_amount > 0 then 'schedule'
            when base_amount = included_tax_amount then 'tax'
            when is_header_only then 'header'
            else 'none'
        end as explanation,
        missing_amount > 0 and abs(price_amount) <= rounding_amount + fraction_amount as is_price_part_of_rest
    from balances
),

-- With lines: the rest that is still to follow takes with it discounts and freight that only the left side has.
decomposed as (
    select
        *,
        case when is_price_part_of_rest then 0 else price_amount end as priced_amount,
        case
            when missing_amount > 0
                then
                    missing_amount
                    + case when is_price_part_of_rest then price_amount else 0 end
                    + case when right_discount_amount = 0 then left_discount_amount else 0 end
                    + case when right_freight_amount = 0 then left_freight_amount else 0 end
            else 0
        end as rest_amount,
        case
            when missing_amount > 0 and right_discount_amount = 0 then 0
            else left_discount_amount - right_discount_amount
        end as discounted_amount,
        case
            when missing_amount > 0 and right_freight_amount = 0 then 0
            else left_freight_amount - right_freight_amount
        end as freight_amount
    from explained
),

-- Of what nobody billed: the share that left the house, by the value of its units. Discounts and freight go along.
parted as (
    select
        *,
        case
            when hop <> 'order_invoice' or has_right_void or has_schedule or unbilled_delivered_amount = 0 then 0
            when explanation = 'nothing' and mistaken_document_key is null
                then {{ round_minor('base_amount * unbilled_delivered_amount / missing_amount', 'minor_units') }}
            when explanation = 'lines'
                then {{ round_minor('rest_amount * unbilled_delivered_amount / missing_amount', 'minor_units') }}
            else 0
        end as delivered_amount
    from decomposed
),

slots as (
    select 'whole' as slot
    union all
    select 'price' as slot
    union all
    select 'discount' as slot
    union all
    select 'rest' as slot
    union all
    select 'excess' as slot
    union all
    select 'freight' as slot
    union all
    select 'delivered' as slot
),

measured as (
    select
        parted.*,
        slots.slot,
        case slots.slot
            when
                'whole'
                then
                    case
                        when explanation = 'nothing' then base_amount - delivered_amount
                        when explanation in ('void', 'rounding', 'scale', 'tax', 'schedule', 'header') then base_amount
                    end
            when 'price' then case when explanation = 'lines' then priced_amount end
            when 'discount' then case when explanation = 'lines' then discounted_amount end
            when 'rest' then case when explanation = 'lines' then rest_amount - delivered_amount end
            when 'excess' then case when explanation = 'lines' then excess_amount end
            when 'freight' then case when explanation = 'lines' then freight_amount end
            when 'delivered' then delivered_amount
        end as amount
    from parted
    cross join slots
),

reasoned as (
    select
        *,
        case
            when explanation = 'void' then 'G1'
            when explanation = 'rounding' then 'C6'
            when explanation = 'scale' then 'C7'
            when explanation = 'tax' then 'C3'
            when explanation = 'header' then 'C8'
            when slot = 'price' and abs(amount) <= rounding_amount then 'C6'
            when slot = 'price' and amount = included_tax_amount then 'C3'
            when slot in ('price', 'discount') then 'C1'
            when slot = 'freight' then 'C4'
            when slot = 'excess' then 'C2'
            when slot = 'delivered' then 'A3'
            -- what follows is not followed up at all, or not yet
            when has_right_void then 'G1'
            when hop = 'deal_order' and slot = 'rest' then 'C2'
            when slot = 'whole' and mistaken_document_key is not null then 'E1'
            when hop = 'deal_order' then 'A1'
            when has_schedule then 'B3'
            else 'A2'
        end as reason_code,
        case
            when explanation = 'void' then 'cancelled, and yet followed up'
            when explanation = 'rounding' then 'at most one minor unit a line, and two in all'
            when explanation = 'scale'
                then
                    'the ' || greater_side || ' side is ' || cast(ratio as {{ dbt.type_string() }})
                    || ' times the other, as in other documents of these connections and this currency'
            when explanation = 'tax' and base_amount < 0 then 'exactly the tax of the left side'
            when explanation = 'tax' then 'exactly the tax of the right side'
            when explanation = 'header' then 'the deal has a total and no lines: which product differs cannot be told'
            when explanation = 'schedule' then 'billing schedule: the rest is not billed yet'
            when slot = 'price' then 'same products and quantities at other unit prices'
            when slot = 'discount'
                then
                    'discounts: left ' || cast(left_discount_amount as {{ dbt.type_string() }})
                    || ', right ' || cast(right_discount_amount as {{ dbt.type_string() }})
            when slot = 'freight'
                then
                    'freight: left ' || cast(left_freight_amount as {{ dbt.type_string() }})
                    || ', right ' || cast(right_freight_amount as {{ dbt.type_string() }})
            when slot = 'excess' then 'units that only the right side has, at its unit prices'
            when slot = 'delivered' then 'left the house and is not billed'
            when slot = 'rest' and has_right_void then 'units whose counterpart is cancelled or void'
            when slot = 'rest' then 'units that only the left side has, at its unit prices'
            when has_right_void then 'its only counterpart is cancelled or void'
            when mistaken_document_key is not null then 'another customer''s document carries its number'
            when hop = 'deal_order' then 'no order refers to it'
            when has_schedule then 'billing schedule: nothing billed yet'
            else 'nothing billed yet'
        end as evidence
    from measured
    where amount <> 0
),

of_groups as (
    select
        hop,
        group_key,
        group_key as document_key,
        min(coalesce(core_document_key, void_document_key, mistaken_document_key)) as counter_document_key,
        reason_code,
        sum(amount) as amount,
        min(case when reason_code = 'C3' then 0.95 when explanation in ('schedule', 'header') then 0.9 else 1 end)
            as confidence,
        min(evidence) as evidence
    from reasoned
    group by hop, group_key, reason_code
    having sum(amount) <> 0
),

-- Single documents of a group with a left side.
of_followers as (
    select
        hop,
        group_key,
        document_key,
        case when is_duplicate then first_document_key else group_key end as counter_document_key,
        case
            when is_credit then 'C5'
            when is_duplicate then 'F1'
            else 'D3'
        end as reason_code,
        case when is_credit or is_duplicate then -amount else amount end as amount,
        1 as confidence,
        case
            when is_credit then 'credit memo or refund of the same chain'
            when
                is_duplicate
                then 'same amount, currency and reference within days, and more than the left side asks for'
            else 'same figures in ' || left_currency_code || ' and ' || currency_code
        end as evidence,
        case when is_credit or is_duplicate then currency_code else left_currency_code end as currency_code,
        case when not is_credit and not is_duplicate then currency_code end as counter_currency_code
    from {{ ref('int_rec_followers') }}
    where amount <> 0 and (is_credit or is_duplicate or is_wrong_code)
),

-- Billed by another legal entity than ordered from, or to another customer than ordered. The amounts agree: it moves within its
-- cell, where the anchor counts. Between the CRM and the ERP this is no rule: a deal often knows neither.
of_parties as (
    select
        followers.hop,
        followers.group_key,
        followers.document_key,
        followers.group_key as counter_document_key,
        'E2' as reason_code,
        followers.amount,
        followers.currency_code,
        followers.currency_code as counter_currency_code,
        1 as confidence,
        case
            when own.legal_entity_id <> anchor.legal_entity_id
                then 'ordered from ' || anchor.legal_entity_id || ', billed by ' || own.legal_entity_id
            else 'billed to another customer than ordered'
        end as evidence
    from {{ ref('int_rec_followers') }} as followers
    inner join {{ ref_current('int_rec_documents') }} as own on followers.document_key = own.document_key
    inner join {{ ref_current('int_rec_documents') }} as anchor on followers.group_key = anchor.document_key
    where
        followers.hop = 'order_invoice'
        and followers.amount <> 0
        and followers.is_core
        and not followers.is_other_currency
        and (own.legal_entity_id <> anchor.legal_entity_id or own.customer_key <> anchor.customer_key)
)

select
    of_groups.hop,
    of_groups.group_key,
    of_groups.document_key,
    of_groups.counter_document_key,
    of_groups.reason_code,
    of_groups.amount,
    documents.currency_code,
    cast(null as {{ dbt.type_string() }}) as counter_currency_code,
    of_groups.confidence,
    of_groups.evidence
from of_groups
inner join {{ ref_current('int_rec_documents') }} as documents on of_groups.group_key = documents.document_key
union all
select
    hop,
    group_key,
    document_key,
    counter_document_key,
    reason_code,
    amount,
    currency_code,
    counter_currency_code,
    confidence,
    evidence
from of_followers
union all
select
    hop,
    group_key,
    document_key,
    counter_document_key,
    reason_code,
    amount,
    currency_code,
    counter_currency_code,
    confidence,
    evidence
from of_parties
