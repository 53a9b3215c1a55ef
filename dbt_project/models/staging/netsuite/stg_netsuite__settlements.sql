{#
  What settles what: links of the kinds that apply money, from the invoice (previous) to the payment or credit (next).
  A refund that settles a credit takes cash back: negative.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_netsuite__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'invoice_id']},
        {'columns': ['payment_document_key']}, {'columns': ['invoice_document_key']}, {'columns': ['applied_date']}
    ]
) }}

with links as (
    select link.*
    from {{ ref('base_netsuite__nexttransactionlink') }} as link
    inner join {{ ref('map_netsuite_link_type') }} as kind on link.linktype = kind.link_type_code
    {{ join_touched('stg_netsuite__documents_touched', 'link.connection', 'link.nextdoc') }}
    where not link.is_deleted and kind.link_type in ('payment', 'deposit_application')
),

settlements as (
    select
        links.connection,
        links.record_key as line_id,
        payment.document_key as payment_document_key,
        payment.document_type as payment_type,
        links.nextdoc as payment_id,
        coalesce(
            invoice.document_key,
            {{ document_key('links.connection', 'invoice_types.document_type', 'links.previousdoc') }}
        ) as invoice_document_key,
        coalesce(invoice.document_type, invoice_types.document_type) as invoice_type,
        links.previousdoc as invoice_id,
        payment.currency_code,
        case when payment.document_type in ('customer_refund', 'cash_refund') then -1 else 1 end
        * abs(links.foreignamount)
            as applied_amount,
        cast(0 as numeric) as discount_amount,
        coalesce(payment.document_date, links.nextdate) as applied_date,
        links.nextdoc as document_id
    from links
    inner join {{ ref('stg_netsuite__documents') }} as payment
        on links.connection = payment.connection and links.nextdoc = payment.document_id
    left join {{ ref('stg_netsuite__documents') }} as invoice
        on links.connection = invoice.connection and links.previousdoc = invoice.document_id
    left join
        {{ ref('map_netsuite_transaction_type') }} as invoice_types
        on links.previoustype = invoice_types.type_code
)

{{ select_contract('settlements', 'settlements') }}
