-- Net sales against the fact: what a shop's ledger says of a day, and what the unified fact holds of the same orders on that day,
-- in the currency of the documents. The fact holds more than net sales: shipping and fees are revenue, too; duties and tips are
-- passed on, gift cards are owed, tests are kept and out of scope. Each is told, and what is left is unexplained.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='net_sales_key', scope='all',
    full_refresh=false
) }}

{% set measures = ['shipping', 'fee', 'duty', 'tip', 'gift_card', 'other'] -%}
{% set reasons = measures + ['test'] -%}
{% set systems = telling_systems('sales_by_day') -%}
with parts as (
    select
        connection,
        legal_entity_id,
        document_currency_code as currency_code,
        case when measure = 'sales' and not is_test then document_net_amount else 0 end as net_sales_amount,
        {% for measure in measures -%}
        case when measure = '{{ measure }}' and not is_test then document_net_amount else 0 end as {{ measure }}_amount,
        {% endfor -%}
        case when is_test then document_net_amount else 0 end as test_amount,
        0 as fact_revenue_amount,
        0 as fact_outside_amount,
        sale_date
    from {{ ref('int_sales_by_day__unioned') }}
    union all
    select
        connection,
        legal_entity_id,
        currency_code,
        0 as net_sales_amount,
        {% for measure in measures -%}
        0 as {{ measure }}_amount,
        {% endfor -%}
        0 as test_amount,
        case when scope = 'in' then net_amount else 0 end as fact_revenue_amount,
        case when scope = 'in' then 0 else net_amount end as fact_outside_amount,
        event_date as sale_date
    from {{ ref_current('fct_revenue') }} as revenue
    where
        document_type = 'deal'
        and {% if systems %}source_system in ('{{ systems | join("', '") }}'){% else %}1 = 0{% endif %}
),

summed as (
    select
        connection,
        legal_entity_id,
        currency_code,
        sum(net_sales_amount) as net_sales_amount,
        {% for reason in reasons -%}
        sum({{ reason }}_amount) as {{ reason }}_amount,
        {% endfor -%}
        sum(fact_revenue_amount) as fact_revenue_amount,
        sum(fact_outside_amount) as fact_outside_amount,
        sale_date
    from parts
    group by connection, legal_entity_id, currency_code, sale_date
),

compared as (
    select
        summed.*,
        fact_revenue_amount + fact_outside_amount - net_sales_amount as difference_amount,
        {% for reason in reasons -%}
        {{ reason }}_amount{{ ' as explained_amount' if loop.last else ' +' }}
        {% endfor -%}
    from summed
),

explained as (
    select
        compared.*,
        {{ hash_key(['connection', 'legal_entity_id', 'currency_code', 'sale_date']) }} as net_sales_key,
        {{ connection_unit('connection') }} as business_unit,
        difference_amount - explained_amount as unexplained_amount,
        fact_revenue_amount - net_sales_amount - shipping_amount - fee_amount - other_amount
            as unexplained_revenue_amount
    from compared
)

{{ versioned('explained') }}
