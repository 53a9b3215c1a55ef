-- Line by line, why the two sides of a group differ: the price of what both sides have, the quantity that only one side has,
-- discounts, freight. Only for groups with something to explain and with products on both sides.
--
-- Lines of the same product at the same unit price cancel first, so that a product sold at two prices and billed in part is
-- no price difference. What is left of a product is compared as a whole:
--   quantity effect = units that only one side has × the unit price of that side
--   price effect    = the rest of the product's difference
-- Of the units that nobody billed, those that left the house are told from those that did not. For that, groups with deliveries
-- are looked at even where nothing is billed at all.
with delivered as (
    select
        members.hop,
        members.group_key,
        delivery.product_key,
        sum(delivery.quantity) as quantity
    from {{ ref_current('int_rec_deliveries') }} as delivery
    inner join {{ ref('int_rec_members') }} as members on delivery.order_document_key = members.document_key
    where members.hop = 'order_invoice' and members.side = 'left'
    group by members.hop, members.group_key, delivery.product_key
),

balances as (
    select
        found.hop,
        found.group_key,
        found.minor_units,
        found.core_count
    from {{ ref('int_rec_balances') }} as found
    left join (
        select distinct
            hop,
            group_key
        from delivered
    ) as shipped on found.hop = shipped.hop and found.group_key = shipped.group_key
    where found.base_amount <> 0 and (found.core_count > 0 or shipped.group_key is not null)
),

sided as (
    select
        members.hop,
        members.group_key,
        'left' as side,
        members.document_key
    from {{ ref('int_rec_members') }} as members
    inner join balances on members.hop = balances.hop and members.group_key = balances.group_key
    where members.side = 'left'
    union all
    select
        followers.hop,
        followers.group_key,
        'right' as side,
        followers.document_key
    from {{ ref('int_rec_followers') }} as followers
    inner join balances on followers.hop = balances.hop and followers.group_key = balances.group_key
    where followers.is_core and not followers.is_void
),

lines as (
    select
        sided.hop,
        sided.group_key,
        sided.side,
        revenue.product_key,
        coalesce(revenue.quantity, 0) as quantity,
        coalesce(revenue.net_amount, 0) as net_amount,
        case
            when revenue.leg in ('discount', 'freight') then revenue.leg
            when revenue.product_key is not null and coalesce(revenue.quantity, 0) <> 0 then 'product'
            else 'other'
        end as line_kind
    from sided
    inner join {{ ref_current('int_rec_documents') }} as document on sided.document_key = document.document_key
    inner join {{ ref_current('fct_revenue') }} as revenue
        on
            document.connection = revenue.connection
            and document.document_id = revenue.document_id
            and document.document_key = revenue.document_key
    where revenue.event_type in ('booking', 'order', 'billing') and coalesce(revenue.net_amount, 0) <> 0
),

priced as (
    select
        hop,
        group_key,
        product_key,
        {{ round_minor('net_amount / quantity', 6) }} as unit_price,
        sum(case when side = 'left' then quantity else 0 end) as left_quantity,
        sum(case when side = 'left' then net_amount else 0 end) as left_amount,
        sum(case when side = 'right' then quantity else 0 end) as right_quantity,
        sum(case when side = 'right' then net_amount else 0 end) as right_amount,
        -- A fraction of a unit is written with three decimals (SAP), or with five: so far its price cannot be told.
        sum(
            case
                when side <> 'right' or quantity = round(quantity, 0) then 0
                when quantity = round(quantity, 3) then 0.001 * abs(net_amount / quantity)
                else 0.00001 * abs(net_amount / quantity)
            end
        ) as fraction_amount
    from lines
    where line_kind = 'product'
    group by hop, group_key, product_key, {{ round_minor('net_amount / quantity', 6) }}
),

cancelled as (
    select
        *,
        case
            when left_quantity > 0 and right_quantity > 0 then least(left_quantity, right_quantity)
            else 0
        end as common_quantity
    from priced
),

rested as (
    select
        hop,
        group_key,
        product_key,
        left_quantity - common_quantity as left_quantity,
        case when left_quantity = common_quantity then 0 else left_amount - common_quantity * unit_price end
            as left_amount,
        right_quantity - common_quantity as right_quantity,
        case when right_quantity = common_quantity then 0 else right_amount - common_quantity * unit_price end
            as right_amount,
        left_amount - right_amount as difference_amount,
        fraction_amount,
        right_quantity as billed_quantity,
        case when left_quantity > 0 then 1 else 0 end as on_left,
        case when right_quantity > 0 then 1 else 0 end as on_right
    from cancelled
),

products as (
    select
        hop,
        group_key,
        product_key,
        sum(left_quantity) as left_quantity,
        sum(left_amount) as left_amount,
        sum(right_quantity) as right_quantity,
        sum(right_amount) as right_amount,
        sum(difference_amount) as difference_amount,
        sum(fraction_amount) as fraction_amount,
        sum(billed_quantity) as billed_quantity,
        max(on_left) * max(on_right) as on_both
    from rested
    group by hop, group_key, product_key
),

-- Units that only one side has (positive: the left side), and what that side asks for one.
compared as (
    select
        *,
        left_quantity - right_quantity as excess_quantity,
        case
            when left_quantity > right_quantity then left_amount / left_quantity
            when right_quantity > left_quantity then right_amount / right_quantity
            else 0
        end as excess_unit_price
    from products
),

effects as (
    select
        products.hop,
        products.group_key,
        products.on_both,
        products.difference_amount,
        products.fraction_amount,
        {{ round_minor('products.excess_quantity * products.excess_unit_price', 'balances.minor_units') }} as quantity_amount,
        -- of the units that nobody billed, what left the house and is not billed otherwise
        case
            when products.excess_quantity <= 0 or coalesce(delivered.quantity, 0) <= products.billed_quantity then 0
            when
                delivered.quantity - products.billed_quantity < products.excess_quantity
                then
                    {{ round_minor(
                        '(delivered.quantity - products.billed_quantity) * products.excess_unit_price', 'balances.minor_units'
                    ) }}
            else {{ round_minor('products.excess_quantity * products.excess_unit_price', 'balances.minor_units') }}
        end as delivered_amount
    from compared as products
    inner join balances on products.hop = balances.hop and products.group_key = balances.group_key
    left join delivered
        on
            products.hop = delivered.hop
            and products.group_key = delivered.group_key
            and products.product_key = delivered.product_key
),

of_products as (
    select
        hop,
        group_key,
        max(on_both) as has_common_product,
        sum(difference_amount - quantity_amount) as price_amount,
        {{ round_minor('sum(fraction_amount)', 6) }} as fraction_amount,
        sum(case when quantity_amount > 0 then quantity_amount else 0 end) as missing_amount,
        sum(case when quantity_amount < 0 then quantity_amount else 0 end) as excess_amount,
        sum(delivered_amount) as delivered_amount
    from effects
    group by hop, group_key
),

-- Deals that have a total and no lines (a claim is a header): no product of theirs can be compared with the order's.
header_only as (
    select
        lines.hop,
        lines.group_key
    from lines
    inner join balances on lines.hop = balances.hop and lines.group_key = balances.group_key
    where lines.hop = 'deal_order' and lines.side = 'left' and balances.core_count > 0
    group by lines.hop, lines.group_key
    having count(lines.product_key) = 0
),

of_others as (
    select
        hop,
        group_key,
        sum(case when line_kind = 'discount' and side = 'left' then net_amount else 0 end) as left_discount_amount,
        sum(case when line_kind = 'discount' and side = 'right' then net_amount else 0 end) as right_discount_amount,
        sum(case when line_kind = 'freight' and side = 'left' then net_amount else 0 end) as left_freight_amount,
        sum(case when line_kind = 'freight' and side = 'right' then net_amount else 0 end) as right_freight_amount,
        sum(case when line_kind = 'other' then 1 else 0 end) as other_count
    from lines
    where line_kind <> 'product'
    group by hop, group_key
)

select
    of_products.hop,
    of_products.group_key,
    of_products.price_amount,
    of_products.fraction_amount,
    of_products.missing_amount,
    of_products.excess_amount,
    of_products.delivered_amount,
    coalesce(of_others.left_discount_amount, 0) as left_discount_amount,
    coalesce(of_others.right_discount_amount, 0) as right_discount_amount,
    coalesce(of_others.left_freight_amount, 0) as left_freight_amount,
    coalesce(of_others.right_freight_amount, 0) as right_freight_amount,
    header_only.group_key is not null as is_header_only
from of_products
inner join balances on of_products.hop = balances.hop and of_products.group_key = balances.group_key
left join of_others on of_products.hop = of_others.hop and of_products.group_key = of_others.group_key
left join header_only on of_products.hop = header_only.hop and of_products.group_key = header_only.group_key
where
    balances.core_count = 0
    or header_only.group_key is not null
    or (of_products.has_common_product = 1 and coalesce(of_others.other_count, 0) = 0)
