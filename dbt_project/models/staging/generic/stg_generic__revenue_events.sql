{#
  Lines as events. What belongs to the document (number, customer, currency, days) is taken from stg_generic__documents.
  A voided bill is taken back by a billing_cancel of the same lines. Applications come from the settlements.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_generic__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with told as (
    {{ generic_rows('revenue_events', {
        'document_type': dbt.type_string(), 'document_id': dbt.type_string(), 'line_id': dbt.type_string(),
        'event_type': dbt.type_string(), 'leg': dbt.type_string(), 'product_id': dbt.type_string(),
        'place_id': dbt.type_string(), 'quantity': 'numeric(28, 6)', 'unit': dbt.type_string(), 'net_amount': 'numeric(28, 4)',
        'discount_amount': 'numeric(28, 4)', 'tax_amount': 'numeric(28, 4)', 'freight_amount': 'numeric(28, 4)',
        'total_amount': 'numeric(28, 4)', 'functional_amount': 'numeric(28, 4)', 'fx_rate': 'numeric(28, 12)',
        'event_date': 'date', 'posting_date': 'date', 'period': dbt.type_string(), 'service_start_date': 'date',
        'service_end_date': 'date'
    }) }}
),

lines as (
    select
        told.*,
        document.document_key,
        document.legal_entity_id,
        document.document_number,
        document.customer_id,
        document.currency_code,
        document.exchange_rate,
        document.document_date,
        document.posting_period,
        document.due_date,
        document.closed_date,
        document.source_url,
        document.is_posting,
        document.is_voided,
        document.is_cancelled,
        document.is_pending,
        document.is_intercompany,
        document.document_type as type_of_document,
        document.modified_at as document_modified_at,
        case
            when told.event_type in ('cash', 'cash_refund') then 'receipt'
            when told.event_type = 'recognition' then 'revenue'
            when told.event_type = 'deferral' then 'deferred'
            else 'item'
        end as usual_leg,
        case when told.event_type in ('cash', 'cash_refund') then null else coalesce(told.net_amount, told.total_amount) end
            as net,
        case when document.batch_id > told.batch_id then document.batch_id else told.batch_id end as event_batch_id
    from told
    {{ join_touched('stg_generic__documents_touched', 'told.connection', 'told.document_id') }}
    inner join {{ ref('stg_generic__documents') }} as document
        on told.connection = document.connection and told.document_id = document.document_id
),

signs as (
    select 1 as factor
    union all
    select -1 as factor
),

fanned as (
    select
        lines.*,
        signs.factor
    from lines
    inner join signs
        on
            signs.factor = 1
            or (lines.is_voided and lines.event_type in ('billing', 'billing_credit'))
),

line_events as (
    select
        document_key,
        connection,
        legal_entity_id,
        type_of_document as document_type,
        document_id,
        document_number,
        line_id,
        case when factor = -1 then 'billing_cancel' else coalesce(event_type, 'unknown') end as event_type,
        coalesce(leg, usual_leg) as leg,
        customer_id,
        product_id,
        place_id,
        factor * quantity as quantity,
        unit,
        currency_code,
        factor * net as net_amount,
        case when net is not null then factor * coalesce(discount_amount, 0) end as discount_amount,
        case when net is not null then factor * coalesce(tax_amount, 0) end as tax_amount,
        case when net is not null then factor * coalesce(freight_amount, 0) end as freight_amount,
        factor * coalesce(net + coalesce(tax_amount, 0), total_amount) as total_amount,
        abs(coalesce(net, total_amount)) as source_amount,
        factor * case when coalesce(net, total_amount) < 0 then -1 else 1 end as source_sign,
        factor * functional_amount as functional_amount,
        coalesce(fx_rate, exchange_rate) as fx_rate,
        case when coalesce(fx_rate, exchange_rate) is not null then 'posted' end as fx_rate_type,
        case when coalesce(fx_rate, exchange_rate) is not null then document_date end as fx_rate_date,
        case when factor = -1 then coalesce(closed_date, document_date) else coalesce(event_date, document_date) end
            as event_date,
        document_date,
        case when is_posting then coalesce(posting_date, document_date) end as posting_date,
        coalesce(period, {{ period_of('posting_date') }}, posting_period) as period,
        service_start_date,
        service_end_date,
        due_date,
        case when event_type in ('recognition', 'deferral') then 'posted' else 'document' end as basis,
        coalesce(
            scope_reason,
            case
                when is_cancelled then 'G1'
                when type_of_document = 'crm_order' then 'H4'
                when is_intercompany then 'H1'
                when event_type not in ('recognition', 'deferral') and is_pending then 'H2'
                when event_type in ('billing', 'billing_credit', 'cash', 'cash_refund') and not is_posting then 'H2'
            end
        ) as scope_reason,
        source_table,
        source_key,
        source_url,
        coalesce(modified_at, document_modified_at) as modified_at,
        event_batch_id as batch_id
    from fanned
),

applications as (
    select
        document.document_key,
        document.connection,
        document.legal_entity_id,
        document.document_type,
        document.document_id,
        document.document_number,
        settlement.line_id,
        'application' as event_type,
        case when settlement.payment_type in ('credit_memo', 'journal') then 'credit' else 'cash' end as leg,
        document.customer_id,
        cast(null as {{ dbt.type_string() }}) as product_id,
        cast(null as {{ dbt.type_string() }}) as place_id,
        cast(null as numeric) as quantity,
        cast(null as {{ dbt.type_string() }}) as unit,
        document.currency_code,
        cast(null as numeric) as net_amount,
        cast(null as numeric) as discount_amount,
        cast(null as numeric) as tax_amount,
        cast(null as numeric) as freight_amount,
        settlement.applied_amount as total_amount,
        abs(settlement.applied_amount) as source_amount,
        case when settlement.applied_amount < 0 then -1 else 1 end as source_sign,
        cast(null as numeric) as functional_amount,
        document.exchange_rate as fx_rate,
        'posted' as fx_rate_type,
        document.document_date as fx_rate_date,
        settlement.applied_date as event_date,
        document.document_date,
        case when document.is_posting then document.document_date end as posting_date,
        document.posting_period as period,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        document.due_date,
        'document' as basis,
        case
            when document.is_intercompany then 'H1'
            when document.is_cancelled or document.is_voided then 'G1'
            when document.is_pending or not document.is_posting then 'H2'
        end as scope_reason,
        cast('settlements' as {{ dbt.type_string() }}) as source_table,
        settlement.line_id as source_key,
        document.source_url,
        document.modified_at,
        document.batch_id
    from {{ ref('stg_generic__documents') }} as document
    {{ join_touched('stg_generic__documents_touched', 'document.connection', 'document.document_id') }}
    inner join {{ ref('stg_generic__settlements') }} as settlement
        on document.connection = settlement.connection and document.document_id = settlement.document_id
),

events as (
    select * from line_events
    union all
    select * from applications
),

scoped as (
    select
        events.*,
        case when events.scope_reason is null then 'in' else 'out' end as scope
    from events
)

{{ select_contract('revenue_events', 'scoped') }}
