{# Items that are sold. Tax, discount and subtotal items are how NetSuite writes lines, not products. #}
with products as (
    select
        connection,
        id as product_id,
        itemid as product_code,
        upccode as gtin,
        coalesce(displayname, fullname, itemid) as name,
        cast(null as {{ dbt.type_string() }}) as family,
        cast(null as {{ dbt.type_string() }}) as unit,
        itemtype in ('InvtPart', 'Assembly', 'Kit') as is_stocked,
        itemtype = 'GiftCert' as is_liability,
        not coalesce(isinactive, false) as is_active
    from {{ ref('base_netsuite__item') }}
    where itemtype not in ('TaxItem', 'TaxGroup', 'Discount', 'Markup', 'Subtotal', 'Payment', 'Description')
)

{{ select_contract('products', 'products') }}
