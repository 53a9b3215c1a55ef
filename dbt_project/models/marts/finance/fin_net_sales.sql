-- What shops sold, by connection, legal entity, day and currency of the shop: gross less discounts less returns is net. Returns
-- are on the day of the return. Shipping, duties, fees, tips, gift cards and tax stand beside it and are in none of it; tests are
-- nowhere. A gift card is owed until it is redeemed, and a redemption is a payment: the sale that it pays is counted.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='net_sales_key', scope='all',
    full_refresh=false
) }}

{% set measures = ['shipping', 'duty', 'fee', 'tip', 'gift_card', 'other'] -%}
with summed as (
    select
        connection,
        legal_entity_id,
        currency_code,
        sum(case when measure = 'sales' and not is_return then net_amount - discount_amount else 0 end)
            as gross_sales_amount,
        sum(case when measure = 'sales' and not is_return then discount_amount else 0 end) as discount_amount,
        sum(case when measure = 'sales' and is_return then net_amount else 0 end) as return_amount,
        sum(case when measure = 'sales' then net_amount else 0 end) as net_sales_amount,
        {% for measure in measures -%}
        sum(case when measure = '{{ measure }}' then net_amount else 0 end) as {{ measure }}_amount,
        {% endfor -%}
        sum(tax_amount) as tax_amount,
        sum(channel_tax_amount) as channel_tax_amount,
        sum(entry_count) as entry_count,
        sale_date
    from {{ ref('int_sales_by_day__unioned') }}
    where not is_test
    group by connection, legal_entity_id, currency_code, sale_date
),

sales as (
    select
        summed.*,
        {{ hash_key(['connection', 'legal_entity_id', 'currency_code', 'sale_date']) }} as net_sales_key,
        {{ connection_unit('connection') }} as business_unit,
        net_sales_amount + shipping_amount + duty_amount + fee_amount + tax_amount as total_sales_amount
    from summed
)

{{ versioned('sales') }}
