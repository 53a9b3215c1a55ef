{#
  What follows from what: order → invoice, as lines name it, and original → reversal. An order is looked for in the invoice's
  own company first, then in any other, where only one has that number.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_finance__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
with numbers as (
    select
        connection,
        order_number,
        min(document_id) as document_id
    from {{ ref('base_dynamics_finance__salesorderheaders') }}
    group by connection, order_number
    having count(*) = 1
),

lines as (
    select
        invoice.connection,
        invoice.company,
        invoice.document_id,
        coalesce(line.order_number, invoice.order_number) as order_number,
        line.order_line_id,
        line.line_id
    from {{ ref('base_dynamics_finance__custinvoicejour') }} as invoice
    inner join {{ ref('base_dynamics_finance__custinvoicetrans') }} as line
        on
            invoice.connection = line.connection
            and invoice.company = line.company
            and invoice.invoice_number = line.invoice_number
            and invoice.document_date = line.document_date
    {{ join_touched('stg_dynamics_finance__documents_touched', 'invoice.connection', 'invoice.document_id') }}
),

links as (
    select
        lines.connection,
        coalesce(own.document_id, numbers.document_id, lower(lines.company) || '|' || lines.order_number) as from_id,
        lines.order_line_id as from_line_id,
        lines.document_id as to_id,
        lines.line_id as to_line_id
    from lines
    left join {{ ref('base_dynamics_finance__salesorderheaders') }} as own
        on
            lines.connection = own.connection
            and lines.company = own.company
            and lines.order_number = own.order_number
    left join numbers on lines.connection = numbers.connection and lines.order_number = numbers.order_number
    where lines.order_number is not null
    union
    select
        invoice.connection,
        invoice.reversed_id,
        {{ text }} as from_line_id,
        invoice.document_id,
        {{ text }} as to_line_id
    from {{ ref('base_dynamics_finance__custinvoicejour') }} as invoice
    {{ join_touched('stg_dynamics_finance__documents_touched', 'invoice.connection', 'invoice.document_id') }}
    where invoice.reversed_id is not null
),

named as (
    {{ links_of_documents('dynamics_finance', {'link_type': "'created_from'", 'amount': 'cast(null as numeric)'}) }}
)

{{ select_contract('document_links', 'named') }}
