{#
  Stock on hand by item and organisation, over its subinventories and lots. Only what is there now is told; the day is the
  one on which any of it was last told to be different.
#}
with told as (
    select
        connection,
        itemnumber as product_id,
        organizationcode as place_id,
        primaryuomcode as unit,
        primaryonhandquantity,
        landed_at,
        batch_id
    from {{ ref('base_oracle__inventoryonhandbalances') }}
),

days as (
    select
        connection,
        cast(max(landed_at) as date) as as_of_date
    from told
    group by connection
),

levels as (
    select
        told.connection,
        told.product_id,
        told.place_id,
        told.place_id as place_name,
        sum(told.primaryonhandquantity) as quantity,
        min(told.unit) as unit,
        days.as_of_date,
        cast(null as timestamp with time zone) as modified_at,
        max(told.batch_id) as batch_id
    from told
    inner join days on told.connection = days.connection
    group by told.connection, told.product_id, told.place_id, days.as_of_date
)

{{ select_contract('stock_levels', 'levels') }}
