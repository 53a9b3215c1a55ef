{# Deals (won opportunities, whatever their stage is called) and the CRM's own orders. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_salesforce__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

with deals as (
    select
        deal.connection,
        'deal' as document_type,
        deal.id as document_id,
        coalesce(deal.name, deal.id) as document_number,
        deal.selling_entity,
        deal.accountid as customer_id,
        deal.currencyisocode,
        deal.type as source_type_code,
        deal.stagename as source_status_code,
        'won' as status,
        cast(null as {{ dbt.type_string() }}) as external_id,
        cast(null as {{ dbt.type_string() }}) as reference,
        {{ source_url('deal.connection', 'Opportunity', 'deal.id') }} as source_url,
        deal.amount as header_total_amount,
        false as is_cancelled,
        false as is_pending,
        deal.closedate as document_date,
        cast(null as date) as closed_date,
        deal.createddate as created_at,
        deal.modified_at,
        deal.batch_id
    from {{ ref('base_salesforce__opportunity') }} as deal
    {{ join_touched('stg_salesforce__documents_touched', 'deal.connection', 'deal.record_key') }}
    where deal.iswon
),

orders as (
    select
        sales_order.connection,
        'crm_order' as document_type,
        sales_order.id as document_id,
        coalesce(sales_order.ordernumber, sales_order.id) as document_number,
        deal.selling_entity,
        sales_order.accountid as customer_id,
        sales_order.currencyisocode,
        sales_order.type as source_type_code,
        sales_order.statuscode as source_status_code,
        statuses.status,
        nullif(trim(sales_order.erp_order_id), '') as external_id,
        nullif(trim(sales_order.ponumber), '') as reference,
        {{ source_url('sales_order.connection', 'Order', 'sales_order.id') }} as source_url,
        sales_order.totalamount as header_total_amount,
        coalesce(statuses.status = 'cancelled', false) as is_cancelled,
        not coalesce(statuses.is_firm, false) as is_pending,
        sales_order.effectivedate as document_date,
        sales_order.enddate as closed_date,
        sales_order.createddate as created_at,
        sales_order.modified_at,
        sales_order.batch_id
    from {{ ref('base_salesforce__order') }} as sales_order
    left join {{ ref('base_salesforce__opportunity') }} as deal
        on sales_order.connection = deal.connection and sales_order.opportunityid = deal.record_key
    left join {{ ref('map_salesforce_order_status') }} as statuses on sales_order.statuscode = statuses.status_code
    {{ join_touched('stg_salesforce__documents_touched', 'sales_order.connection', 'sales_order.record_key') }}
),

documents as (
    select * from deals
    union all
    select * from orders
),

keyed as (
    select
        {{ document_key('connection', 'document_type', 'document_id') }} as document_key,
        connection,
        document_type,
        document_id,
        document_number,
        {{ legal_entity('connection', 'selling_entity') }} as legal_entity_id,
        customer_id,
        coalesce(currencyisocode, {{ connection_attribute('connection', 'currency') }}) as currency_code,
        source_type_code,
        source_status_code,
        status,
        external_id,
        reference,
        {{ period_of('document_date') }} as posting_period,
        source_url,
        header_total_amount,
        cast(null as numeric) as exchange_rate,
        cast(null as integer) as line_count,
        false as is_posting,
        false as is_voided,
        is_cancelled,
        is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        document_date,
        cast(null as date) as due_date,
        closed_date,
        created_at,
        modified_at,
        batch_id
    from documents
)

{{ select_contract('documents', 'keyed') }}
