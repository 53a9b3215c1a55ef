{#
  What was sold, by day and in the shop's currency, in the measures of the vendor's own report: gross sales are before discount
  and without tax, gift cards and tips stand apart, returns are on the day of the return. Tests are in none. Tax for which a
  channel is liable is not the merchant's to remit.
#}
with channel_taxes as (
    select
        connection,
        sale_id,
        sum(amount_shop) as amount
    from {{ ref('base_shopify__sale_taxes') }}
    where is_channel_liable
    group by connection, sale_id
),

sales as (
    select
        sale.*,
        coalesce(channel_taxes.amount, 0) as channel_tax_shop_amount
    from {{ ref('stg_shopify__sales') }} as sale
    left join channel_taxes on sale.connection = channel_taxes.connection and sale.sale_id = channel_taxes.sale_id
    where not sale.is_test
)

select
    connection,
    currency_shop as currency_code,
    sum(case when measure = 'sales' and event_type = 'booking' then net_shop_amount - discount_shop_amount else 0 end)
        as gross_amount,
    sum(case when measure = 'sales' and event_type = 'booking' then discount_shop_amount else 0 end) as discount_amount,
    sum(case when measure = 'sales' and event_type = 'booking_cancel' then net_shop_amount else 0 end) as return_amount,
    sum(case when measure = 'sales' then net_shop_amount else 0 end) as net_amount,
    sum(case when measure = 'shipping' then net_shop_amount else 0 end) as shipping_amount,
    sum(case when measure = 'duty' then net_shop_amount else 0 end) as duty_amount,
    sum(case when measure = 'fee' then net_shop_amount else 0 end) as fee_amount,
    sum(case when measure = 'tip' then net_shop_amount else 0 end) as tip_amount,
    sum(case when measure = 'gift_card' then net_shop_amount else 0 end) as gift_card_amount,
    sum(tax_shop_amount) as tax_amount,
    sum(channel_tax_shop_amount) as channel_tax_amount,
    count(*) as entry_count,
    sale_date
from sales
group by connection, currency_shop, sale_date
