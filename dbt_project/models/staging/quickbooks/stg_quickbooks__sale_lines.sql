{#
  What documents of sale are made of: items, discounts (whose amount is positive and means minus), the components of bundles in
  place of the bundle. Subtotals and remarks are nothing. Amounts are net of tax, also where prices include it. Tax is in no
  line: it is one of its own.
#}
with lines as (
    {% for entity in quickbooks_sales() -%}
    select * from {{ ref('base_quickbooks__' ~ entity | lower ~ 'line') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

parts as (
    select
        lines.connection,
        lines.document_id,
        lines.line_id,
        kinds.line_kind,
        case when lines.item_id = 'SHIPPING_ITEM_ID' then null else lines.item_id end as product_id,
        case when kinds.line_kind = 'discount' then null else lines.quantity end as quantity,
        case when kinds.line_kind = 'discount' then -lines.amount else lines.amount end as net_amount,
        case when lines.item_id = 'SHIPPING_ITEM_ID' then lines.amount else 0 end as freight_amount,
        case when kinds.line_kind = 'discount' then lines.amount else 0 end as discount_amount,
        case
            when kinds.line_kind = 'discount' then lines.discount_account
            else coalesce(lines.item_account, item.income_account)
        end as account_id,
        'quickbooks__' || lower(lines.entity) || 'line' as source_table,
        lines.record_key,
        lines.batch_id
    from lines
    inner join {{ ref('map_quickbooks_line_kind') }} as kinds on lines.detail_type = kinds.detail_type
    left join {{ ref('base_quickbooks__item') }} as item
        on lines.connection = item.connection and lines.item_id = item.id
    where lines.kind = 'line' and kinds.line_kind in ('item', 'discount')
)

select
    sale.connection,
    sale.document_id,
    parts.line_id,
    parts.line_kind,
    parts.product_id,
    sale.sign * parts.quantity as quantity,
    sale.sign * parts.net_amount as net_amount,
    sale.sign * parts.discount_amount as discount_amount,
    cast(0 as numeric) as tax_amount,
    sale.sign * parts.freight_amount as freight_amount,
    parts.account_id,
    parts.source_table,
    parts.record_key,
    parts.batch_id
from parts
inner join {{ ref('stg_quickbooks__sales') }} as sale
    on parts.connection = sale.connection and parts.document_id = sale.document_id
union all
select
    sale.connection,
    sale.document_id,
    'header/tax' as line_id,
    'tax' as line_kind,
    cast(null as {{ dbt.type_string() }}) as product_id,
    cast(null as numeric) as quantity,
    cast(0 as numeric) as net_amount,
    cast(0 as numeric) as discount_amount,
    sale.sign * sale.tax_amount as tax_amount,
    cast(0 as numeric) as freight_amount,
    cast(null as {{ dbt.type_string() }}) as account_id,
    'quickbooks__' || lower(sale.entity) as source_table,
    sale.record_key,
    sale.batch_id
from {{ ref('stg_quickbooks__sales') }} as sale
where sale.tax_amount <> 0
