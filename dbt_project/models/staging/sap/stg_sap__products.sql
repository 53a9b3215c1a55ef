{# Materials, by their English name, else by any. #}
with names as (
    select
        connection,
        product_id,
        name,
        row_number()
            over (partition by connection, product_id order by case when language = 'EN' then 0 else 1 end, language)
            as choice
    from {{ ref('base_sap__producttext') }}
    where name is not null
),

products as (
    select
        product.connection,
        product.id as product_id,
        product.product_code,
        product.gtin,
        coalesce(names.name, product.id) as name,
        product.family,
        product.unit,
        coalesce(product.product_type not in ('SERV', 'DIEN', 'NLAG', 'LEER'), true) as is_stocked,
        false as is_liability,
        not product.is_deleted as is_active
    from {{ ref('base_sap__product') }} as product
    left join names on product.connection = names.connection and product.id = names.product_id and names.choice = 1
)

{{ select_contract('products', 'products') }}
