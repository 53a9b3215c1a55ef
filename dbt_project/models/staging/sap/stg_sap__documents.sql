{#
  Sales orders, deliveries and billing documents, and those accounting documents about customers or revenue that no billing
  document stands behind. A cancelled billing document stays, beside what cancelled it: both are void, and the pair is nothing.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_sap__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
with factors as (
    select
        connection,
        source_currency,
        target_currency,
        source_units,
        target_units,
        row_number() over (partition by connection, source_currency, target_currency order by valid_from desc) as choice
    from {{ ref('base_sap__exchangerate') }}
    where rate_type = 'M'
),

ledger as (
    select
        item.connection,
        item.document_id,
        min(item.posting_date) as posting_date,
        min(item.due_date) as due_date,
        max(item.batch_id) as batch_id
    from {{ ref('stg_sap__ledger_items') }} as item
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
    group by item.connection, item.document_id
),

order_lines as (
    select
        item.connection,
        item.document_id,
        cast(count(*) as integer) as line_count,
        min(case when item.rejection_reason is null then 0 else 1 end) = 1 as is_rejected,
        max(case when category.has_billing_plan then 1 else 0 end) = 1 as has_billing_plan,
        max(item.batch_id) as batch_id
    from {{ ref('base_sap__salesorderitem') }} as item
    left join {{ ref('map_sap_item_category') }} as category on item.item_category = category.item_category_code
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
    group by item.connection, item.document_id
),

delivery_lines as (
    select
        item.connection,
        item.document_id,
        cast(count(*) as integer) as line_count,
        max(item.batch_id) as batch_id
    from {{ ref('base_sap__deliveryitem') }} as item
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
    group by item.connection, item.document_id
),

billing_lines as (
    select
        item.connection,
        item.document_id,
        cast(count(*) as integer) as line_count,
        max(item.batch_id) as batch_id
    from {{ ref('base_sap__billingitem') }} as item
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
    group by item.connection, item.document_id
),

orders as (
    select
        document.connection,
        coalesce(category.document_type, 'order') as document_type,
        document.document_id,
        {{ legal_entity('document.connection', 'coalesce(document.company_code, document.sales_organisation)') }}
            as legal_entity_id,
        document.customer_id,
        document.currency_code,
        document.category_code as source_type_code,
        coalesce(document.process_status, '') as source_status_code,
        case
            when coalesce(lines.is_rejected, false) then 'cancelled'
            when document.process_status = 'C' then 'closed'
            else 'open'
        end as status,
        document.external_id,
        document.reference,
        {{ period_of('document.document_date') }} as posting_period,
        {{ source_url('document.connection', 'A_SalesOrder', 'document.document_id') }} as source_url,
        cast(null as numeric) as header_total_amount,
        cast(null as numeric) as exchange_rate,
        lines.line_count,
        false as is_posting,
        false as is_voided,
        coalesce(lines.is_rejected, false) as is_cancelled,
        false as is_pending,
        false as is_intercompany,
        coalesce(lines.has_billing_plan, false) as has_billing_schedule,
        document.document_date,
        cast(null as date) as due_date,
        cast(null as date) as closed_date,
        document.created_date,
        document.modified_at,
        case when lines.batch_id > document.batch_id then lines.batch_id else document.batch_id end as batch_id
    from {{ ref('base_sap__salesorder') }} as document
    {{ join_touched('stg_sap__documents_touched', 'document.connection', 'document.document_id') }}
    left join order_lines as lines
        on document.connection = lines.connection and document.document_id = lines.document_id
    left join {{ ref('map_sap_document_category') }} as category on document.category_code = category.category_code
),

deliveries as (
    select
        document.connection,
        coalesce(category.document_type, 'delivery') as document_type,
        document.document_id,
        {{ legal_entity('document.connection', 'document.sales_organisation') }} as legal_entity_id,
        document.customer_id,
        document.currency_code,
        document.category_code as source_type_code,
        coalesce(document.goods_movement_status, '') as source_status_code,
        case when document.goods_movement_status = 'C' then 'closed' else 'open' end as status,
        {{ text }} as external_id,
        {{ text }} as reference,
        {{ period_of('coalesce(document.goods_issue_date, document.document_date)') }} as posting_period,
        {{ source_url('document.connection', 'A_OutbDeliveryHeader', 'document.document_id') }} as source_url,
        cast(null as numeric) as header_total_amount,
        cast(null as numeric) as exchange_rate,
        lines.line_count,
        false as is_posting,
        false as is_voided,
        false as is_cancelled,
        coalesce(document.goods_movement_status, '') <> 'C' as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        coalesce(document.goods_issue_date, document.document_date) as document_date,
        cast(null as date) as due_date,
        cast(null as date) as closed_date,
        document.created_date,
        document.modified_at,
        case when lines.batch_id > document.batch_id then lines.batch_id else document.batch_id end as batch_id
    from {{ ref('base_sap__delivery') }} as document
    {{ join_touched('stg_sap__documents_touched', 'document.connection', 'document.document_id') }}
    left join delivery_lines as lines
        on document.connection = lines.connection and document.document_id = lines.document_id
    left join {{ ref('map_sap_document_category') }} as category on document.category_code = category.category_code
),

billing as (
    select
        document.connection,
        coalesce(billing_type.document_type, category.document_type, 'billing') as document_type,
        document.document_id,
        {{ legal_entity('document.connection', 'document.company_code') }} as legal_entity_id,
        document.customer_id,
        document.currency_code,
        document.category_code as source_type_code,
        coalesce(document.transfer_status, '') as source_status_code,
        case
            when document.is_cancelled or document.cancelled_id is not null then 'voided'
            when document.transfer_status = 'A' then 'pending'
            else 'open'
        end as status,
        {{ text }} as external_id,
        document.reference,
        {{ period_of('coalesce(ledger.posting_date, document.document_date)') }} as posting_period,
        {{ source_url('document.connection', 'A_BillingDocument', 'document.document_id') }} as source_url,
        document.gross_amount as header_total_amount,
        case
            when document.currency_code = company.currency then 1
            when document.is_indirect_rate then cast(1 as numeric) / nullif(abs(document.exchange_rate), 0)
            else abs(document.exchange_rate)
        end
        * case
            when document.currency_code = company.currency then 1
            else coalesce(factors.target_units / factors.source_units, 1)
        end as exchange_rate,
        lines.line_count,
        coalesce(category.scope_reason, '') <> 'H2' as is_posting,
        document.is_cancelled or document.cancelled_id is not null as is_voided,
        false as is_cancelled,
        coalesce(document.transfer_status, '') = 'A' as is_pending,
        coalesce(category.scope_reason, '') = 'H1' as is_intercompany,
        false as has_billing_schedule,
        document.document_date,
        ledger.due_date,
        cast(null as date) as closed_date,
        document.created_date,
        document.modified_at,
        greatest(document.batch_id, coalesce(lines.batch_id, 0), coalesce(ledger.batch_id, 0)) as batch_id
    from {{ ref('base_sap__billing') }} as document
    {{ join_touched('stg_sap__documents_touched', 'document.connection', 'document.document_id') }}
    left join billing_lines as lines
        on document.connection = lines.connection and document.document_id = lines.document_id
    left join ledger on document.connection = ledger.connection and document.document_id = ledger.document_id
    left join {{ ref('map_sap_document_category') }} as category on document.category_code = category.category_code
    left join {{ ref('map_sap_billing_type') }} as billing_type
        on document.billing_type = billing_type.billing_type_code
    left join {{ ref('base_sap__companycode') }} as company
        on document.connection = company.connection and document.company_code = company.id
    left join factors
        on
            document.connection = factors.connection
            and document.currency_code = factors.source_currency
            and company.currency = factors.target_currency
            and factors.choice = 1
),

posted as (
    select
        item.connection,
        item.document_id,
        min(item.accounting_type) as accounting_type,
        min(item.company_code) as company_code,
        min(item.customer_id) as customer_id,
        min(item.currency_code) as currency_code,
        min(item.reference) as reference,
        min(item.posting_date) as posting_date,
        min(item.document_date) as document_date,
        min(item.due_date) as due_date,
        cast(count(*) as integer) as line_count,
        max(item.modified_at) as modified_at,
        max(item.batch_id) as batch_id
    from {{ ref('stg_sap__ledger_items') }} as item
    {{ join_touched('stg_sap__documents_touched', 'item.connection', 'item.document_id') }}
    where item.billing_id is null
    group by item.connection, item.document_id
    having max(case when item.account_type = 'D' or item.account_kind in ('revenue', 'deferred') then 1 else 0 end) = 1
),

ledger_documents as (
    select
        posted.connection,
        coalesce(kind.document_type, 'ledger_document') as document_type,
        posted.document_id,
        {{ legal_entity('posted.connection', 'posted.company_code') }} as legal_entity_id,
        posted.customer_id,
        posted.currency_code,
        posted.accounting_type as source_type_code,
        {{ text }} as source_status_code,
        'open' as status,
        {{ text }} as external_id,
        posted.reference,
        {{ period_of('posted.posting_date') }} as posting_period,
        {{ text }} as source_url,
        cast(null as numeric) as header_total_amount,
        cast(null as numeric) as exchange_rate,
        posted.line_count,
        true as is_posting,
        false as is_voided,
        false as is_cancelled,
        false as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        posted.document_date,
        posted.due_date,
        cast(null as date) as closed_date,
        cast(null as date) as created_date,
        posted.modified_at,
        posted.batch_id
    from posted
    left join {{ ref('map_sap_accounting_type') }} as kind on posted.accounting_type = kind.accounting_type_code
),

documents as (
    select * from orders
    union all
    select * from deliveries
    union all
    select * from billing
    union all
    select * from ledger_documents
),

keyed as (
    select
        {{ document_key('connection', 'document_type', 'document_id') }} as document_key,
        documents.*,
        documents.document_id as document_number,
        cast(documents.created_date as timestamp with time zone) as created_at
    from documents
)

{{ select_contract('documents', 'keyed') }}
