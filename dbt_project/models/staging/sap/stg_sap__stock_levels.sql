{# Unrestricted stock (type 01) of one's own, by material and plant. Only what is there now is told. #}
with days as (
    {{ days_told(ref('base_sap__stock')) }}
),

levels as (
    select
        stock.connection,
        stock.product_id,
        stock.plant as place_id,
        stock.plant as place_name,
        stock.unit,
        sum(stock.quantity) as quantity,
        days.as_of_date,
        max(stock.modified_at) as modified_at,
        max(stock.batch_id) as batch_id
    from {{ ref('base_sap__stock') }} as stock
    inner join days on stock.connection = days.connection
    where stock.stock_type = '01' and stock.special_stock_type is null and stock.plant is not null
    group by stock.connection, stock.product_id, stock.plant, stock.unit, days.as_of_date
)

{{ select_contract('stock_levels', 'levels') }}
