-- Per connection, currency and document category, the fact holds exactly SAP's landed items of orders and billing documents,
-- signed by what the document is. Read from raw, not from the models that made the fact.
{{ config(enabled='sap' in var('systems')) }}

with items as (
    select
        header._connection as connection,
        header.transactioncurrency as currency_code,
        header.sddocumentcategory as category_code,
        item.netamount + coalesce(item.taxamount, 0) as amount
    from {{ source('sap', 'sap__a_billingdocument') }} as header
    inner join {{ source('sap', 'sap__a_billingdocumentitem') }} as item
        on header._connection = item._connection and header.billingdocument = item.billingdocument
    where
        header._superseded_batch is null and not header._is_deleted
        and item._superseded_batch is null and not item._is_deleted
    union all
    select
        header._connection as connection,
        header.transactioncurrency as currency_code,
        'C' as category_code,
        item.netamount + coalesce(item.taxamount, 0) as amount
    from {{ source('sap', 'sap__a_salesorder') }} as header
    inner join {{ source('sap', 'sap__a_salesorderitem') }} as item
        on header._connection = item._connection and header.salesorder = item.salesorder
    where
        header._superseded_batch is null and not header._is_deleted
        and item._superseded_batch is null and not item._is_deleted
        and coalesce(item.salesdocumentrjcnreason, '') = ''
),

landed as (
    select
        items.connection,
        items.currency_code,
        category.event_type,
        sum(category.sign * items.amount) as amount
    from items
    inner join {{ ref('map_sap_document_category') }} as category on items.category_code = category.category_code
    group by items.connection, items.currency_code, category.event_type
),

built as (
    select
        connection,
        currency_code,
        event_type,
        sum(total_amount) as amount
    from {{ ref_current('fct_revenue') }} as revenue
    where event_type in ('order', 'billing', 'billing_credit', 'billing_cancel') and source_system = 'sap'
    group by connection, currency_code, event_type
)

select
    coalesce(landed.connection, built.connection) as connection,
    coalesce(landed.currency_code, built.currency_code) as currency_code,
    coalesce(landed.event_type, built.event_type) as event_type,
    landed.amount as landed_amount,
    built.amount as built_amount
from landed
full outer join built
    on
        landed.connection = built.connection
        and landed.currency_code = built.currency_code
        and landed.event_type = built.event_type
where landed.amount is distinct from built.amount
