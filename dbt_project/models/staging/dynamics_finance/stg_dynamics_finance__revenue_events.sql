{#
  Lines as events, in the source's own sign, which is the seller's:
    order, billing, billing_credit, billing_cancel  lines of orders and invoices; a cancelled line of an order counts as
             nothing. What a header charges or rounds is in no line, and is a line of its own; so is an order's tax,
             which only its header has, and only where its totals were calculated.
    cash     what customers paid: their transactions, and lines of payment journals that have none; invoices with terms of
             cash settle themselves
    posting  what posted to revenue or deferred revenue, journals included
  Applications come from settlements. Pro formas and what is not posted are kept, out of scope (H2); sisters' too (H1).
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_finance__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

{% set text, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as numeric)' -%}
{% set intercompany = "case when document.is_intercompany then 'H1' end" -%}
with documents as (
    select document.*
    from {{ ref('stg_dynamics_finance__documents') }} as document
    {{ join_touched('stg_dynamics_finance__documents_touched', 'document.connection', 'document.document_id') }}
),

headers as (
    select
        connection,
        document_id,
        coalesce(charge_amount, 0) as charge,
        coalesce(rounding_amount, 0) as rounding,
        record_key,
        batch_id
    from {{ ref('base_dynamics_finance__custinvoicejour') }}
),

lines as (
    select
        connection,
        document_id,
        line_id,
        product_id,
        unit,
        case when status_code = 'Canceled' then 0 else quantity end as quantity,
        case when status_code = 'Canceled' then 0 else net_amount end as net_amount,
        cast(0 as numeric) as tax_amount,
        cast(0 as numeric) as freight_amount,
        'dynamics_finance__salesorderlines' as source_table,
        record_key,
        batch_id
    from {{ ref('base_dynamics_finance__salesorderlines') }}
    union all
    select
        connection,
        document_id,
        'header/tax' as line_id,
        {{ text }} as product_id,
        {{ text }} as unit,
        {{ money }} as quantity,
        cast(0 as numeric) as net_amount,
        tax_amount,
        cast(0 as numeric) as freight_amount,
        'dynamics_finance__salesorderheaders' as source_table,
        record_key,
        batch_id
    from {{ ref('base_dynamics_finance__salesorderheaders') }}
    where tax_amount <> 0
    union all
    select
        invoice.connection,
        invoice.document_id,
        line.line_id,
        line.product_id,
        line.unit,
        line.quantity,
        line.net_amount,
        coalesce(line.tax_amount, 0) as tax_amount,
        cast(0 as numeric) as freight_amount,
        'dynamics_finance__custinvoicetrans' as source_table,
        line.record_key,
        line.batch_id
    from {{ ref('base_dynamics_finance__custinvoicetrans') }} as line
    inner join {{ ref('base_dynamics_finance__custinvoicejour') }} as invoice
        on
            line.connection = invoice.connection
            and line.company = invoice.company
            and line.invoice_number = invoice.invoice_number
            and line.document_date = invoice.document_date
    union all
    select
        connection,
        document_id,
        line_id,
        {{ text }} as product_id,
        {{ text }} as unit,
        quantity,
        net_amount,
        coalesce(tax_amount, 0) as tax_amount,
        cast(0 as numeric) as freight_amount,
        'dynamics_finance__freetextinvoicelines' as source_table,
        record_key,
        batch_id
    from {{ ref('base_dynamics_finance__freetextinvoicelines') }}
    {% for name, freight in [('charge', 'charge'), ('rounding', '0')] -%}
    union all
    select
        connection,
        document_id,
        'header/{{ name }}' as line_id,
        {{ text }} as product_id,
        {{ text }} as unit,
        {{ money }} as quantity,
        {{ name }} as net_amount,
        cast(0 as numeric) as tax_amount,
        cast({{ freight }} as numeric) as freight_amount,
        'dynamics_finance__custinvoicejour' as source_table,
        record_key,
        batch_id
    from headers
    where {{ name }} <> 0
    {% endfor %}
),

line_events as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        lines.line_id,
        case
            when document.document_type = 'order' then 'order'
            when document.document_type in ('invoice_cancellation', 'credit_cancellation') then 'billing_cancel'
            when document.document_type in ('credit_memo', 'cash_refund') then 'billing_credit'
            else 'billing'
        end as event_type,
        'item' as leg,
        lines.product_id,
        lines.quantity,
        lines.unit,
        lines.net_amount,
        cast(0 as numeric) as discount_amount,
        lines.tax_amount,
        lines.freight_amount,
        lines.net_amount + lines.tax_amount as total_amount,
        lines.net_amount + lines.tax_amount as source_amount,
        1 as source_sign,
        {{ money }} as functional_amount,
        document.document_date as event_date,
        case when document.is_posting then document.document_date end as posting_date,
        'document' as basis,
        case
            when document.is_intercompany then 'H1'
            when document.document_type = 'pro_forma' or document.is_pending then 'H2'
            when document.is_cancelled then 'G1'
        end as scope_reason,
        lines.source_table,
        lines.record_key as source_key,
        lines.batch_id
    from documents as document
    inner join lines on document.connection = lines.connection and document.document_id = lines.document_id
),

cash_events as (
    select
        document.document_key,
        document.connection,
        document.document_id,
        'total' as line_id,
        case when document.header_total_amount < 0 then 'cash_refund' else 'cash' end as event_type,
        'receipt' as leg,
        {{ text }} as product_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        {{ money }} as net_amount,
        {{ money }} as discount_amount,
        {{ money }} as tax_amount,
        {{ money }} as freight_amount,
        document.header_total_amount as total_amount,
        coalesce(trans.amount, document.header_total_amount) as source_amount,
        case when trans.id is null then 1 else -1 end as source_sign,
        -trans.functional_amount as functional_amount,
        document.document_date as event_date,
        case when document.is_posting then document.document_date end as posting_date,
        'document' as basis,
        case when document.is_pending then 'H2' when document.is_voided then 'G1' end as scope_reason,
        case
            when trans.id is not null then 'dynamics_finance__custtrans'
            when keyed.document_id is not null then 'dynamics_finance__customerpaymentjournallines'
            else 'dynamics_finance__custinvoicejour'
        end as source_table,
        coalesce(trans.record_key, keyed.record_key, document.document_id) as source_key,
        document.batch_id
    from documents as document
    left join {{ ref('base_dynamics_finance__custtrans') }} as trans
        on document.connection = trans.connection and document.document_id = 'T' || trans.id
    left join {{ ref('stg_dynamics_finance__payment_lines') }} as keyed
        on document.connection = keyed.connection and document.document_id = keyed.document_id
    where document.document_type in ('payment', 'cash_sale', 'cash_refund')
),

posting_events as (
    {{ postings_of_documents(
        'dynamics_finance', "item.entry_id || '/' || item.line_id", intercompany, "'dynamics_finance__generaljournalaccountentry'") }}
),

applications as (
    {{ applications_of_documents('dynamics_finance', intercompany, 'dynamics_finance__custsettlement') }}
),

events as (
    select * from line_events
    union all
    select * from cash_events
    union all
    select * from posting_events
    union all
    select * from applications
),

complete as (
    {{ events_of_documents('events', 'documents', has_place=false) }}
)

{{ select_contract('revenue_events', 'complete') }}
