{#
  Stock on hand by item and organisation, over its subinventories and lots. Only what is there now is told; the day is the
  one on which any of it was last told to be different. It is Oracle's own day, not ours: the as-of date of a run goes by the
  sources' clocks too, and a level of tomorrow would not count.
#}
with told as (
    select
        balance.connection,
        balance.itemnumber as product_id,
        balance.organizationcode as place_id,
        balance.primaryuomcode as unit,
        balance.primaryonhandquantity,
        coalesce(load.window_end, balance.landed_at) as told_at,
        balance.batch_id
    from {{ ref('base_oracle__inventoryonhandbalances') }} as balance
    left join {{ ref('base_oracle__loads') }} as load on balance.batch_id = load.batch_id
),

days as (
    select
        connection,
        cast(max(told_at) as date) as as_of_date
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
