{#
  What follows from what:
    created_from  a document and the estimate that it was made from: line by line where the lines say so, else as a whole
    credit        a credit memo and the invoice that it was applied to
    payment       a payment and the invoice that it pays
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_quickbooks__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

{% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
with made as (
    {% for entity in ['Invoice', 'SalesReceipt'] -%}
    select
        line.connection,
        line.document_id,
        line.linked_id,
        line.linked_line_id,
        case when line.position like 'h%' then {{ text }} else line.line_id end as line_id
    from {{ ref('base_quickbooks__' ~ entity | lower ~ 'line') }} as line
    {{ join_touched('stg_quickbooks__documents_touched', 'line.connection', 'line.document_id') }}
    where line.kind = 'link' and line.linked_type = 'Estimate'
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

by_line as (
    select distinct
        connection,
        document_id,
        linked_id
    from made
    where line_id is not null
),

links as (
    select
        made.connection,
        made.linked_id as from_id,
        made.linked_line_id as from_line_id,
        made.document_id as to_id,
        made.line_id as to_line_id,
        'created_from' as link_type,
        cast(null as numeric) as amount
    from made
    left join by_line
        on made.connection = by_line.connection and made.document_id = by_line.document_id and made.linked_id = by_line.linked_id
    where made.line_id is not null or by_line.linked_id is null
    union all
    select
        application.connection,
        application.invoice_id,
        {{ text }},
        application.payer_id,
        {{ text }},
        case when application.payer_id = application.payment_id then 'payment' else 'credit' end,
        application.amount
    from {{ ref('stg_quickbooks__applications') }} as application
    {{ join_touched('stg_quickbooks__documents_touched', 'application.connection', 'application.payer_id') }}
),

named as (
    {{ links_of_documents('quickbooks') }}
)

{{ select_contract('document_links', 'named') }}
