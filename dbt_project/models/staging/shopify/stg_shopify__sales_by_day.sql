{#
  What was sold, by day and in the shop's currency, in the measures of the vendor's own report: gross sales are before discount
  and without tax, gift cards and tips stand apart, returns are on the day of the return. Tests are in none.
#}
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
from {{ ref('stg_shopify__sales') }}
where not is_test
group by connection, currency_shop, sale_date
