{#
  Deals are bookings, by line (TotalPrice: after discount). A deal without lines is one line, '0', of its header's
  amount; where lines exist the header only repeats their sum and is not read. CRM orders are kept, and out of scope:
  H4.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_salesforce__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with documents as (
    select document.*
    from {{ ref('stg_salesforce__documents') }} as document
    {{ join_touched('stg_salesforce__documents_touched', 'document.connection', 'document.document_id') }}
),

deal_lines as (
    select
        document.*,
        coalesce(line.id, '0') as line_id,
        line.product2id as product_id,
        line.quantity,
        coalesce(line.totalprice, case when line.id is null then document.header_total_amount else 0 end) as amount,
        coalesce(line.totalprice - coalesce(line.subtotal, line.totalprice), 0) as discount_amount,
        line.servicedate as service_start_date,
        cast(null as date) as service_end_date,
        'booking' as event_type,
        case when line.id is null then 'salesforce__opportunity' else 'salesforce__opportunitylineitem' end
            as source_table,
        coalesce(line.id, document.document_id) as source_key,
        coalesce(line.batch_id, document.batch_id) as line_batch_id
    from documents as document
    left join {{ ref('base_salesforce__opportunitylineitem') }} as line
        on document.connection = line.connection and document.document_id = line.opportunityid
    where document.document_type = 'deal'
),

order_lines as (
    select
        document.*,
        line.id as line_id,
        line.product2id as product_id,
        line.quantity,
        coalesce(line.totalprice, 0) as amount,
        cast(0 as numeric) as discount_amount,
        line.servicedate as service_start_date,
        line.enddate as service_end_date,
        'order' as event_type,
        'salesforce__orderitem' as source_table,
        line.id as source_key,
        line.batch_id as line_batch_id
    from documents as document
    inner join {{ ref('base_salesforce__orderitem') }} as line
        on document.connection = line.connection and document.document_id = line.orderid
    where document.document_type = 'crm_order'
),

lines as (
    select * from deal_lines
    union all
    select * from order_lines
),

events as (
    {{ crm_events('lines', ['discount_amount', 'service_start_date', 'service_end_date']) }}
)

{{ select_contract('revenue_events', 'events') }}
