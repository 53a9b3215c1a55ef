-- Stock against the speed of sales, by connection, place and product: for how many days the stock lasts, and what to order again.
-- On hand is the last level that was told up to the as-of date. Sold is what left the house in the days before (fin_stock_rules
-- says how many), less what came back: deliveries where a connection has them, else what was billed. A sale that names no
-- place belongs to the only place that has the product; where several have it, it stands by itself, without a place.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='stock_cover_key', scope='all',
    full_refresh=false, hash_exclude=['window_end_date']
) }}

{% set as_of_date %}cast('{{ var("as_of_date") }}' as date){% endset %}
with told as (
    select
        connection,
        place_id,
        product_id,
        place_name,
        unit,
        quantity,
        as_of_date,
        row_number() over (
            partition by connection, place_id, product_id
            order by as_of_date desc, modified_at desc, batch_id desc
        ) as choice
    from {{ ref('int_stock_levels__unioned') }}
    where as_of_date <= {{ as_of_date }}
),

levels as (
    select
        told.connection,
        told.place_id,
        coalesce(product.product_key, {{ hash_key(["'product'", 'told.connection', 'told.product_id']) }}) as product_key,
        max(told.place_name) as place_name,
        max(told.unit) as unit,
        sum(told.quantity) as on_hand_quantity,
        max(told.as_of_date) as as_of_date
    from told
    left join {{ ref('int_products__identified') }} as product
        on told.connection = product.connection and told.product_id = product.product_id
    where told.choice = 1
    group by
        told.connection,
        told.place_id,
        coalesce(product.product_key, {{ hash_key(["'product'", 'told.connection', 'told.product_id']) }})
),

places as (
    select
        connection,
        product_key,
        min(place_id) as place_id
    from levels
    group by connection, product_key
    having count(*) = 1
),

names as (
    select
        connection,
        place_id,
        max(place_name) as place_name
    from levels
    group by connection, place_id
),

documents as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        document.role
    from {{ ref_current('int_rec_documents') }} as document
    inner join (select distinct connection from levels) as telling on document.connection = telling.connection
    cross join {{ ref('fin_stock_rules') }} as rules
    where
        document.role in ('delivery', 'billing')
        and document.scope_reason is null
        and not document.is_void
        and document.document_date <= {{ as_of_date }}
        and document.document_date > {{ dbt.dateadd('day', '-rules.window_days', as_of_date) }}
),

-- A connection that ever delivered sells by delivering, also in a window in which it delivered nothing.
delivering as (
    select distinct document.connection
    from {{ ref_current('int_rec_documents') }} as document
    inner join (select distinct connection from levels) as telling on document.connection = telling.connection
    where document.role = 'delivery'
),

sales as (
    select
        documents.connection,
        coalesce(revenue.place_id, places.place_id) as place_id,
        revenue.product_key,
        sum(revenue.quantity) as sold_quantity
    from documents
    inner join {{ ref_current('fct_revenue') }} as revenue
        on
            documents.connection = revenue.connection
            and documents.document_id = revenue.document_id
            and documents.document_key = revenue.document_key
    left join delivering on documents.connection = delivering.connection
    left join places on documents.connection = places.connection and revenue.product_key = places.product_key
    where
        revenue.event_type in ('delivery', 'billing', 'billing_credit', 'billing_cancel')
        and documents.role = case when delivering.connection is null then 'billing' else 'delivery' end
        and revenue.product_key is not null
        and revenue.quantity <> 0
    group by documents.connection, coalesce(revenue.place_id, places.place_id), revenue.product_key
),

-- Only what is kept in stock somewhere: a service is sold without.
stocked_sales as (
    select sales.*
    from sales
    inner join (
        select distinct
            connection,
            product_key
        from levels
    ) as kept on sales.connection = kept.connection and sales.product_key = kept.product_key
),

met as (
    select
        coalesce(levels.connection, stocked_sales.connection) as connection,
        coalesce(levels.place_id, stocked_sales.place_id) as place_id,
        coalesce(levels.product_key, stocked_sales.product_key) as product_key,
        levels.unit,
        coalesce(levels.on_hand_quantity, 0) as on_hand_quantity,
        coalesce(stocked_sales.sold_quantity, 0) as sold_quantity,
        levels.as_of_date
    from levels
    full outer join stocked_sales
        on
            levels.connection = stocked_sales.connection
            and coalesce(levels.place_id, '') = coalesce(stocked_sales.place_id, '')
            and levels.product_key = stocked_sales.product_key
),

products as (
    select
        product_key,
        product_code,
        name
    from {{ ref_current('dim_product') }}
),

measured as (
    select
        {{ hash_key(['met.connection', 'met.place_id', 'met.product_key']) }} as stock_cover_key,
        met.connection,
        {{ connection_unit('met.connection') }} as business_unit,
        {{ connection_attribute('met.connection', 'legal_entity') }} as legal_entity_id,
        met.place_id,
        names.place_name,
        met.product_key,
        products.product_code,
        products.name as product_name,
        met.unit,
        met.on_hand_quantity,
        met.sold_quantity,
        {{ round_minor('met.sold_quantity / rules.window_days', 6) }} as daily_quantity,
        case
            when met.sold_quantity > 0 and met.on_hand_quantity > 0
                then {{ round_minor('met.on_hand_quantity * rules.window_days / met.sold_quantity', 1) }}
            when met.sold_quantity > 0 then 0
        end as cover_days,
        rules.window_days,
        rules.reorder_cover_days,
        met.as_of_date,
        {{ as_of_date }} as window_end_date
    from met
    cross join {{ ref('fin_stock_rules') }} as rules
    left join products on met.product_key = products.product_key
    left join names on met.connection = names.connection and met.place_id = names.place_id
),

flagged as (
    select
        *,
        coalesce(cover_days < reorder_cover_days, false) as is_reorder,
        case
            when cover_days is null and on_hand_quantity <= 0 then 'unused'
            when cover_days is null then 'no sales'
            when cover_days = 0 then 'sold out'
            when cover_days < reorder_cover_days then 'reorder'
            else 'covered'
        end as cover_status
    from measured
)

{{ versioned('flagged') }}
