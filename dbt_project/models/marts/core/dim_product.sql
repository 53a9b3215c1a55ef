{# One row per product over the crosswalk. The ERP's words win; a product is active while any system sells it. #}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='product_key', scope='all',
    full_refresh=false
) }}

with records as (
    select
        *,
        row_number() over (
            partition by product_key
            order by case when role = 'erp' then 0 else 1 end, connection, length(product_id), product_id
        ) as choice,
        row_number() over (
            partition by product_key
            order by
                case when family is null then 1 else 0 end,
                case when role = 'crm' then 0 else 1 end,
                connection,
                product_id
        ) as family_choice
    from {{ ref('int_products__identified') }}
),

products as (
    select
        product_key,
        max(product_code) as product_code,
        max(gtin) as gtin,
        max(case when choice = 1 then name end) as name,
        max(case when family_choice = 1 then family end) as family,
        max(case when choice = 1 then unit end) as unit,
        cast(count(*) as integer) as record_count,
        max(case when is_stocked then 1 else 0 end) = 1 as is_stocked,
        max(case when is_liability then 1 else 0 end) = 1 as is_liability,
        max(case when is_active then 1 else 0 end) = 1 as is_active
    from records
    group by product_key
)

{{ versioned('products') }}
