{# Items by their number, by which documents name them. Each organisation has a row of an item: what any says, it is. #}
with items as (
    select
        connection,
        itemnumber as product_id,
        itemnumber as product_code,
        cast(null as {{ dbt.type_string() }}) as gtin,
        coalesce(min(itemdescription), itemnumber) as name,
        min(itemclass) as family,
        min(primaryuomvalue) as unit,
        max(case when inventoryitemflag then 1 else 0 end) = 1 as is_stocked,
        false as is_liability,
        max(case when itemstatusvalue = 'Active' then 1 else 0 end) = 1 as is_active
    from {{ ref('base_oracle__itemsv2') }}
    where itemnumber is not null
    group by connection, itemnumber
)

{{ select_contract('products', 'items') }}
