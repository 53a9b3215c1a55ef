{# Stock on hand by item and organisation, over its subinventories and lots. Only what is there now is told. #}
with days as (
    {{ days_told(ref('base_oracle__inventoryonhandbalances')) }}
),

levels as (
    select
        balance.connection,
        balance.itemnumber as product_id,
        balance.organizationcode as place_id,
        balance.organizationcode as place_name,
        sum(balance.primaryonhandquantity) as quantity,
        min(balance.primaryuomcode) as unit,
        days.as_of_date,
        cast(null as timestamp with time zone) as modified_at,
        max(balance.batch_id) as batch_id
    from {{ ref('base_oracle__inventoryonhandbalances') }} as balance
    inner join days on balance.connection = days.connection
    group by balance.connection, balance.itemnumber, balance.organizationcode, days.as_of_date
)

{{ select_contract('stock_levels', 'levels') }}
