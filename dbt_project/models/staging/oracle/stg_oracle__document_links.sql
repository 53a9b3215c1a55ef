{#
  What follows from what, inside Oracle:
    created_from  a line of an invoice says the number of its order. Of several versions of an order under one number the
                  newest that is not cancelled is meant. A number that is no order's leads nowhere: from_type is NULL.
    credit        a credit memo and the invoice that it was applied to. One on account has none.
    payment       a receipt and the invoice that it was applied to.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_oracle__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

with orders as (
    select
        connection,
        document_number,
        document_id,
        row_number() over (
            partition by connection, document_number
            order by case when is_cancelled then 1 else 0 end, length(document_id) desc, document_id desc
        ) as choice
    from {{ ref('stg_oracle__documents') }}
    where document_type = 'order'
),

billed as (
    select distinct
        line.connection,
        line.transaction_id,
        line.salesorder
    from {{ ref('stg_oracle__transaction_lines') }} as line
    {{ join_touched('stg_oracle__documents_touched', 'line.connection', 'line.transaction_id') }}
    where line.salesorder is not null
),

applied as (
    select application.*
    from {{ ref('stg_oracle__applications') }} as application
    {{ join_touched('stg_oracle__documents_touched', 'application.connection', 'application.payer_id') }}
),

links as (
    select
        billed.connection,
        coalesce(orders.document_id, billed.salesorder) as from_id,
        billed.transaction_id as to_id,
        'created_from' as link_type,
        cast(null as numeric) as amount
    from billed
    left join orders
        on billed.connection = orders.connection and billed.salesorder = orders.document_number and orders.choice = 1
    union all
    select
        connection,
        transaction_id,
        payer_id,
        case when payer_kind = 'credit' then 'credit' else 'payment' end,
        abs(amount)
    from applied
),

named as (
    {% set no_line = 'cast(null as ' ~ dbt.type_string() ~ ')' -%}
    {{ links_of_documents('oracle', {'from_line_id': no_line, 'to_line_id': no_line}) }}
)

{{ select_contract('document_links', 'named') }}
