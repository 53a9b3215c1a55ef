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
    select
        document_key,
        connection,
        legal_entity_id,
        document_type,
        document_id,
        document_number,
        line_id,
        event_type,
        'item' as leg,
        customer_id,
        product_id,
        cast(null as {{ dbt.type_string() }}) as place_id,
        quantity,
        cast(null as {{ dbt.type_string() }}) as unit,
        currency_code,
        amount as net_amount,
        cast(0 as numeric) as discount_amount,
        cast(0 as numeric) as tax_amount,
        cast(0 as numeric) as freight_amount,
        amount as total_amount,
        amount as source_amount,
        1 as source_sign,
        cast(null as numeric) as functional_amount,
        cast(null as numeric) as fx_rate,
        cast(null as {{ dbt.type_string() }}) as fx_rate_type,
        cast(null as date) as fx_rate_date,
        document_date as event_date,
        document_date,
        cast(null as date) as posting_date,
        posting_period as period,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        due_date,
        'document' as basis,
        case when document_type = 'crm_order' then 'out' else 'in' end as scope,
        case when document_type = 'crm_order' then 'H4' end as scope_reason,
        source_table,
        source_key,
        source_url,
        modified_at,
        line_batch_id as batch_id
    from lines
)

{{ select_contract('revenue_events', 'events') }}
