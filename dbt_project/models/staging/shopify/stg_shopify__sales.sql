{#
  The ledger of orders, in the shop's currency and the buyer's: one row an entry, signed, on the day that it happened where the
  shop is. An entry's total includes tax and is after discount, in shops whose prices hold tax and in others; discounts are
  told as negative, whatever sign they came with.
#}
with skus as (
    select
        connection,
        sku,
        min(id) as variant_id
    from {{ ref('base_shopify__variants') }}
    where sku is not null
    group by connection, sku
    having count(*) = 1
)

select
    sale.connection,
    sale.id as sale_id,
    sale.order_id,
    sale.agreement_id,
    sale.line_item_id,
    sold.business_entity_id,
    -- the variant of a line may be gone; the number on the line stays
    coalesce(line.variant_id, skus.variant_id) as product_id,
    sale.reason,
    sale.action_type,
    sale.line_type,
    kind.event_type,
    line_types.leg,
    line_types.measure,
    sold.currency_shop,
    sold.currency_paid,
    sale.quantity,
    sale.total_shop - sale.tax_shop as net_shop_amount,
    sale.total_paid - sale.tax_paid as net_paid_amount,
    sale.tax_shop as tax_shop_amount,
    sale.tax_paid as tax_paid_amount,
    -sign(sale.total_shop) * abs(coalesce(sale.discount_shop, 0)) as discount_shop_amount,
    -sign(sale.total_paid) * abs(coalesce(sale.discount_paid, 0)) as discount_paid_amount,
    coalesce(line_types.is_revenue, true) as is_revenue,
    coalesce(sold.is_test, false) as is_test,
    {{ local_day('sale.happened_at', connection_attribute('sale.connection', 'time_zone')) }} as sale_date,
    sale.happened_at,
    sale.batch_id
from {{ ref('base_shopify__sales') }} as sale
inner join {{ ref('base_shopify__orders') }} as sold
    on sale.connection = sold.connection and sale.order_id = sold.record_key
left join {{ ref('base_shopify__line_items') }} as line
    on sale.connection = line.connection and sale.line_item_id = line.record_key
left join skus on line.connection = skus.connection and line.sku = skus.sku
left join {{ ref('map_shopify_sale') }} as kind on sale.reason || '/' || sale.action_type = kind.sale_code
left join {{ ref('map_shopify_line_type') }} as line_types on sale.line_type = line_types.line_type
