{#
  What was sold, by day, in the measures of the vendor's own report and the shop's currency: gross sales are before discount
  and without tax, gift cards and tips stand apart, returns are on the day of the return. Tests are told as tests. Tax for
  which a channel is liable is not the merchant's to remit. What no seed knows is `other`.
#}
{% set in_shop = connection_says('sale.connection', 'money', 'shop', 'presentment') -%}
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
        sale.connection,
        {{ legal_entity('sale.connection', 'sale.business_entity_id') }} as legal_entity_id,
        sale.currency_shop as currency_code,
        case when {{ in_shop }} then sale.currency_shop else sale.currency_paid end as document_currency_code,
        case when sale.event_type is null then 'other' else coalesce(sale.measure, 'other') end as measure,
        sale.net_shop_amount,
        sale.discount_shop_amount,
        sale.tax_shop_amount,
        coalesce(channel_taxes.amount, 0) as channel_tax_amount,
        case when {{ in_shop }} then sale.net_shop_amount else sale.net_paid_amount end as document_net_amount,
        coalesce(sale.event_type = 'booking_cancel', false) as is_return,
        sale.is_test,
        sale.sale_date
    from {{ ref('stg_shopify__sales') }} as sale
    left join channel_taxes on sale.connection = channel_taxes.connection and sale.sale_id = channel_taxes.sale_id
),

by_day as (
    select
        connection,
        legal_entity_id,
        currency_code,
        document_currency_code,
        measure,
        sum(net_shop_amount) as net_amount,
        sum(discount_shop_amount) as discount_amount,
        sum(tax_shop_amount) as tax_amount,
        sum(channel_tax_amount) as channel_tax_amount,
        sum(document_net_amount) as document_net_amount,
        count(*) as entry_count,
        is_return,
        is_test,
        sale_date
    from sales
    group by
        connection, legal_entity_id, currency_code, document_currency_code, measure, is_return, is_test, sale_date
)

{{ select_contract('sales_by_day', 'by_day') }}
