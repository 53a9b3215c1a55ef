{#
  Sales orders; the journal of posted invoices (the one source of them: header sets and free-text invoices that are posted
  say the same again); free-text invoices that are not posted; transactions of customers and vouchers that no invoice stands
  behind; lines of payment journals that have no transaction (see stg_dynamics_finance__payment_lines). A reversed invoice stays, beside its reversal: both are void, and the pair is nothing.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_finance__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

{% set text, day, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as date)', 'cast(null as numeric)' -%}
with ledger as (
    select
        item.connection,
        item.document_id,
        min(item.posting_date) as posting_date,
        max(item.batch_id) as batch_id
    from {{ ref('stg_dynamics_finance__ledger_items') }} as item
    {{ join_touched('stg_dynamics_finance__documents_touched', 'item.connection', 'item.document_id') }}
    group by item.connection, item.document_id
),

order_lines as (
    select
        line.connection,
        line.document_id,
        cast(count(*) as integer) as line_count,
        max(line.batch_id) as batch_id
    from {{ ref('base_dynamics_finance__salesorderlines') }} as line
    {{ join_touched('stg_dynamics_finance__documents_touched', 'line.connection', 'line.document_id') }}
    group by line.connection, line.document_id
),

reversed as (
    select distinct
        connection,
        reversed_id
    from {{ ref('base_dynamics_finance__custinvoicejour') }}
    where reversed_id is not null
),

orders as (
    select
        document.connection,
        'order' as document_type,
        document.document_id,
        document.order_number as document_number,
        document.company,
        document.account,
        document.currency_code,
        {{ text }} as source_type_code,
        coalesce(document.status_code, '') as source_status_code,
        coalesce(states.status, 'open') as status,
        document.external_id,
        document.reference,
        {{ money }} as header_total_amount,
        {{ money }} as exchange_rate,
        lines.line_count,
        false as is_posting,
        false as is_voided,
        coalesce(states.status = 'cancelled', false) as is_cancelled,
        false as is_pending,
        false as is_intercompany,
        document.has_billing_schedule,
        document.document_date,
        {{ day }} as due_date,
        {{ day }} as posting_date,
        document.created_at,
        document.modified_at,
        case when lines.batch_id > document.batch_id then lines.batch_id else document.batch_id end as batch_id
    from {{ ref('base_dynamics_finance__salesorderheaders') }} as document
    {{ join_touched('stg_dynamics_finance__documents_touched', 'document.connection', 'document.document_id') }}
    left join order_lines as lines
        on document.connection = lines.connection and document.document_id = lines.document_id
    left join {{ ref('map_dynamics_finance_order_status') }} as states on document.status_code = states.status_code
),

invoices as (
    select
        document.connection,
        case
            when document.is_proforma then 'pro_forma'
            when document.reversed_id is not null and document.total_amount < 0 then 'invoice_cancellation'
            when document.reversed_id is not null then 'credit_cancellation'
            when coalesce(terms.settles_itself, false) and document.total_amount < 0 then 'cash_refund'
            when coalesce(terms.settles_itself, false) then 'cash_sale'
            when document.total_amount < 0 or coalesce(kind.is_return, false) then 'credit_memo'
            else 'invoice'
        end as document_type,
        document.document_id,
        document.invoice_number as document_number,
        document.company,
        document.account,
        document.currency_code,
        document.sales_type as source_type_code,
        {{ text }} as source_status_code,
        case
            when document.reversed_id is not null or reversed.reversed_id is not null then 'voided' else 'open'
        end as status,
        {{ text }} as external_id,
        document.reference,
        document.total_amount as header_total_amount,
        case when document.currency_code = own.currency then 1 else document.exchange_rate / 100 end as exchange_rate,
        cast(null as integer) as line_count,
        not document.is_proforma as is_posting,
        document.reversed_id is not null or reversed.reversed_id is not null as is_voided,
        false as is_cancelled,
        false as is_pending,
        document.is_intercompany,
        false as has_billing_schedule,
        document.document_date,
        document.due_date,
        ledger.posting_date,
        document.created_at,
        document.modified_at,
        document.batch_id
    from {{ ref('base_dynamics_finance__custinvoicejour') }} as document
    {{ join_touched('stg_dynamics_finance__documents_touched', 'document.connection', 'document.document_id') }}
    left join reversed
        on document.connection = reversed.connection and document.document_id = reversed.reversed_id
    left join ledger on document.connection = ledger.connection and document.document_id = ledger.document_id
    left join {{ ref('base_dynamics_finance__ledgers') }} as own
        on document.connection = own.connection and document.company = own.id
    left join {{ ref('map_dynamics_finance_terms') }} as terms on document.terms_code = terms.terms_code
    left join {{ ref('map_dynamics_finance_sales_type') }} as kind on document.sales_type = kind.sales_type
),

unposted as (
    select
        document.connection,
        'invoice' as document_type,
        document.document_id,
        coalesce(document.invoice_number, document.id) as document_number,
        document.company,
        document.account,
        document.currency_code,
        {{ text }} as source_type_code,
        {{ text }} as source_status_code,
        'pending' as status,
        {{ text }} as external_id,
        document.reference,
        {{ money }} as header_total_amount,
        document.exchange_rate / 100 as exchange_rate,
        cast(null as integer) as line_count,
        false as is_posting,
        false as is_voided,
        false as is_cancelled,
        true as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        document.document_date,
        document.due_date,
        {{ day }} as posting_date,
        cast(null as timestamp with time zone) as created_at,
        document.modified_at,
        document.batch_id
    from {{ ref('base_dynamics_finance__freetextinvoiceheaders') }} as document
    {{ join_touched('stg_dynamics_finance__documents_touched', 'document.connection', 'document.document_id') }}
    where not document.is_posted
),

payments as (
    select
        trans.connection,
        coalesce(kind.document_type, 'customer_document') as document_type,
        belonging.document_id,
        trans.voucher as document_number,
        trans.company,
        trans.account,
        trans.currency_code,
        trans.type_code as source_type_code,
        {{ text }} as source_status_code,
        case when trans.is_cancelled then 'voided' else 'open' end as status,
        {{ text }} as external_id,
        trans.reference,
        -trans.amount as header_total_amount,
        case when trans.currency_code = own.currency then 1 else trans.exchange_rate / 100 end as exchange_rate,
        cast(null as integer) as line_count,
        true as is_posting,
        trans.is_cancelled as is_voided,
        false as is_cancelled,
        false as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        trans.document_date,
        trans.due_date,
        trans.document_date as posting_date,
        trans.created_at,
        trans.modified_at,
        trans.batch_id
    from {{ ref('base_dynamics_finance__custtrans') }} as trans
    inner join {{ ref('stg_dynamics_finance__transactions') }} as belonging
        on
            trans.connection = belonging.connection
            and trans.id = belonging.transaction_id
            and belonging.document_id = 'T' || trans.id
    {{ join_touched('stg_dynamics_finance__documents_touched', 'trans.connection', 'belonging.document_id') }}
    left join {{ ref('base_dynamics_finance__ledgers') }} as own
        on trans.connection = own.connection and trans.company = own.id
    left join {{ ref('map_dynamics_finance_transaction_type') }} as kind on trans.type_code = kind.type_code
),

keyed_payments as (
    select
        line.connection,
        'payment' as document_type,
        line.document_id,
        line.document_number,
        line.company,
        line.account,
        line.currency_code,
        {{ text }} as source_type_code,
        {{ text }} as source_status_code,
        case when line.is_posted then 'open' else 'pending' end as status,
        {{ text }} as external_id,
        line.reference,
        line.amount as header_total_amount,
        case when line.currency_code = own.currency then 1 else nullif(line.exchange_rate, 0) / 100 end as exchange_rate,
        cast(null as integer) as line_count,
        line.is_posted as is_posting,
        false as is_voided,
        false as is_cancelled,
        not line.is_posted as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        line.document_date,
        {{ day }} as due_date,
        case when line.is_posted then line.document_date end as posting_date,
        cast(null as timestamp with time zone) as created_at,
        line.modified_at,
        line.batch_id
    from {{ ref('stg_dynamics_finance__payment_lines') }} as line
    {{ join_touched('stg_dynamics_finance__documents_touched', 'line.connection', 'line.document_id') }}
    left join {{ ref('base_dynamics_finance__ledgers') }} as own
        on line.connection = own.connection and line.company = own.id
),

posted as (
    select
        item.connection,
        item.document_id,
        min(item.document_number) as document_number,
        min(item.company) as company,
        min(item.currency_code) as currency_code,
        min(item.category_code) as category_code,
        min(item.posting_date) as posting_date,
        min(item.document_date) as document_date,
        cast(count(*) as integer) as line_count,
        max(item.modified_at) as modified_at,
        max(item.batch_id) as batch_id
    from {{ ref('stg_dynamics_finance__ledger_items') }} as item
    {{ join_touched('stg_dynamics_finance__documents_touched', 'item.connection', 'item.document_id') }}
    where item.document_id like 'G%'
    group by item.connection, item.document_id
    having max(case when item.account_kind in ('receivable', 'revenue', 'deferred') then 1 else 0 end) = 1
),

journals as (
    select
        connection,
        'journal' as document_type,
        document_id,
        coalesce(document_number, document_id) as document_number,
        company,
        {{ text }} as account,
        currency_code,
        category_code as source_type_code,
        {{ text }} as source_status_code,
        'open' as status,
        {{ text }} as external_id,
        {{ text }} as reference,
        {{ money }} as header_total_amount,
        {{ money }} as exchange_rate,
        line_count,
        true as is_posting,
        false as is_voided,
        false as is_cancelled,
        false as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        coalesce(document_date, posting_date) as document_date,
        {{ day }} as due_date,
        posting_date,
        cast(null as timestamp with time zone) as created_at,
        modified_at,
        batch_id
    from posted
),

documents as (
    select * from orders
    union all
    select * from invoices
    union all
    select * from unposted
    union all
    select * from payments
    union all
    select * from keyed_payments
    union all
    select * from journals
),

keyed as (
    select
        {{ document_key('documents.connection', 'documents.document_type', 'documents.document_id') }} as document_key,
        documents.*,
        {{ legal_entity('documents.connection', 'documents.company') }} as legal_entity_id,
        coalesce(customer.party_number, documents.account) as customer_id,
        {{ period_of('coalesce(documents.posting_date, documents.document_date)') }} as posting_period,
        {{ text }} as source_url,
        {{ day }} as closed_date
    from documents
    left join {{ ref('base_dynamics_finance__customers') }} as customer
        on
            documents.connection = customer.connection
            and documents.company = customer.company
            and documents.account = customer.account
)

{{ select_contract('documents', 'keyed') }}
