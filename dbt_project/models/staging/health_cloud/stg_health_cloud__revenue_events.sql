{#
  Approved claims are bookings: by product where the organisation keeps approved amounts on its claim items (the standard
  object has none), else one line, '0', of the header's amount. An encounter has no money: it is kept as one line of nothing,
  out of scope: H4. Payments that the payer tells are in stg_health_cloud__claims: cash is what the ERP received.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_health_cloud__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with documents as (
    select document.*
    from {{ ref('stg_health_cloud__documents') }} as document
    {{ join_touched('stg_health_cloud__documents_touched', 'document.connection', 'document.document_id') }}
),

lines as (
    select
        document.*,
        coalesce(line.id, '0') as line_id,
        line.productid as product_id,
        line.quantity,
        case
            when document.document_type = 'crm_order' then 0
            else coalesce(line.approved_amount, document.header_total_amount, 0)
        end as amount,
        case when document.document_type = 'crm_order' then 'order' else 'booking' end as event_type,
        case
            when document.document_type = 'crm_order' then 'health_cloud__clinicalencounter'
            when line.id is null then 'health_cloud__claim'
            else 'health_cloud__claimitem'
        end as source_table,
        coalesce(line.id, document.document_id) as source_key,
        coalesce(line.batch_id, document.batch_id) as line_batch_id
    from documents as document
    left join {{ ref('base_health_cloud__claimitem') }} as line
        on
            document.connection = line.connection
            and document.document_id = line.claimid
            and document.document_type = 'deal'
            and line.approved_amount is not null
),

events as (
    {{ crm_events('lines') }}
)

{{ select_contract('revenue_events', 'events') }}
