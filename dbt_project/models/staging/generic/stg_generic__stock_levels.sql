{# What was on hand at the end of a day, by product and place. #}
with told as (
    {{ generic_rows('stock_levels', generic_columns('stock_levels', without=['modified_at', 'batch_id'])) }}
),

levels as (
    select
        connection,
        product_id,
        place_id,
        coalesce(place_name, place_id) as place_name,
        quantity,
        unit,
        as_of_date,
        modified_at,
        batch_id
    from told
)

{{ select_contract('stock_levels', 'levels') }}
