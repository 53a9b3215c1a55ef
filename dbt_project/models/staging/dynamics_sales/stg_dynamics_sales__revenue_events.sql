{#
  Deals are bookings, by line: baseamount less manualdiscountamount, for extendedamount has tax in some organisations and in
  others not. What a header discounts is in no line, and is a line of its own; so is freight. A deal without lines is one
  line, '0', of its value. CRM orders are kept, and out of scope: H4.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_sales__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
with documents as (
    select document.*
    from {{ ref('stg_dynamics_sales__documents') }} as document
    {{ join_touched('stg_dynamics_sales__documents_touched', 'document.connection', 'document.document_id') }}
),

deal_lines as (
    select
        document.*,
        coalesce(line.id, '0') as line_id,
        line.product_id,
        line.quantity,
        case when line.id is null then document.header_total_amount else line.base_amount - coalesce(line.manual_discount_amount, 0) end
            as amount,
        coalesce(-line.manual_discount_amount, 0) as discount_amount,
        cast(0 as numeric) as freight_amount,
        'booking' as event_type,
        case when line.id is null then 'dynamics_sales__opportunity' else 'dynamics_sales__opportunityproduct' end
            as source_table,
        coalesce(line.id, document.document_id) as source_key,
        coalesce(line.batch_id, document.batch_id) as line_batch_id
    from documents as document
    left join {{ ref('base_dynamics_sales__opportunityproduct') }} as line
        on document.connection = line.connection and document.document_id = line.document_id
    where document.document_type = 'deal'
),

-- Only beside lines: without them the deal's value has it all.
headers as (
    select
        document.*,
        deal.freight_amount as freight,
        coalesce(deal.discount_amount, 0) + coalesce(deal.discount_pct, 0) / 100 * coalesce(deal.line_total_amount, 0)
            as discount
    from documents as document
    inner join {{ ref('base_dynamics_sales__opportunity') }} as deal
        on document.connection = deal.connection and document.document_id = deal.id
    where
        document.document_type = 'deal' and exists (
            select 1
            from {{ ref('base_dynamics_sales__opportunityproduct') }} as line
            where line.connection = document.connection and line.document_id = document.document_id
        )
),

header_lines as (
    {% for name, amount, discount, freight in [
        ('discount', '-discount', '-discount', '0'), ('freight', 'freight', '0', 'freight')
    ] -%}
    select
        document_key, connection, document_type, document_id, document_number, legal_entity_id, customer_id, currency_code,
        document_date, posting_period, due_date, source_url, modified_at,
        'header/{{ name }}' as line_id,
        {{ text }} as product_id,
        cast(null as numeric) as quantity,
        {{ amount }} as amount,
        cast({{ discount }} as numeric) as discount_amount,
        cast({{ freight }} as numeric) as freight_amount,
        'booking' as event_type,
        'dynamics_sales__opportunity' as source_table,
        document_id as source_key,
        batch_id as line_batch_id
    from headers
    where {{ name }} <> 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

order_lines as (
    select
        document.*,
        line.id as line_id,
        line.product_id,
        line.quantity,
        line.base_amount - coalesce(line.manual_discount_amount, 0) as amount,
        coalesce(-line.manual_discount_amount, 0) as discount_amount,
        cast(0 as numeric) as freight_amount,
        'order' as event_type,
        'dynamics_sales__salesorderdetail' as source_table,
        line.id as source_key,
        line.batch_id as line_batch_id
    from documents as document
    inner join {{ ref('base_dynamics_sales__salesorderdetail') }} as line
        on document.connection = line.connection and document.document_id = line.document_id
    where document.document_type = 'crm_order'
),

lines as (
    {% for part in ['deal_lines', 'header_lines', 'order_lines'] -%}
    select
        document_key, connection, document_type, document_id, document_number, legal_entity_id, customer_id, currency_code,
        document_date, posting_period, due_date, source_url, modified_at, line_id, product_id, quantity, amount,
        discount_amount, freight_amount, event_type, source_table, source_key, line_batch_id
    from {{ part }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

events as (
    {{ crm_events('lines', ['discount_amount', 'freight_amount']) }}
)

{{ select_contract('revenue_events', 'events') }}
