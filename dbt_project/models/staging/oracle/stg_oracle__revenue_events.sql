{#
  Lines as events, in the seller's sign, which is Oracle's own: an invoice is positive, a credit memo negative.
    sale     lines of orders, invoices and credit memos, their tax and freight. What an invoice's line says is what was
             billed, not the revenue of a period.
    cancel   the same taken back, where a transaction is void.
    cash     receipts, and till sales and refunds, which settle themselves.
    posting  what distributions post to revenue and deferred revenue, each on its own accounting date; adjustments too,
             where their type posts there.
  Applications come from the settlements. What an adjustment takes off what is owed is negative, what it adds positive.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_oracle__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with documents as (
    select
        document.*,
        types.event_type as type_event,
        coalesce(types.is_out_of_scope, false) as is_out_of_scope
    from {{ ref('stg_oracle__documents') }} as document
    left join {{ ref('map_oracle_transaction_type') }} as types on document.source_type_code = types.type_code
    {{ join_touched('stg_oracle__documents_touched', 'document.connection', 'document.document_id') }}
),

distributions as (
    select
        distribution.*,
        classes.account_kind
    from {{ ref('stg_oracle__distributions') }} as distribution
    inner join {{ ref('map_oracle_account_class') }} as classes on distribution.accountclass = classes.class_code
    {{ join_touched('stg_oracle__documents_touched', 'distribution.connection', 'distribution.transaction_id') }}
),

-- What the ledger makes of a line, over all periods.
posted_lines as (
    select
        connection,
        transaction_id,
        line_number,
        sum(accountedamount) as accountedamount
    from distributions
    where account_kind in ('revenue', 'deferred') and line_number is not null
    group by connection, transaction_id, line_number
),

transaction_lines as (
    select line.*
    from {{ ref('stg_oracle__transaction_lines') }} as line
    {{ join_touched('stg_oracle__documents_touched', 'line.connection', 'line.transaction_id') }}
),

-- Some pods tell what a credit memo takes back as a magnitude: then its lines contradict its header.
signs as (
    select
        document.connection,
        document.document_id,
        case when document.header_total_amount < 0 and sum(line.amount) > 0 then -1 else 1 end as sign_factor
    from documents as document
    inner join transaction_lines as line
        on document.connection = line.connection and document.document_id = line.transaction_id
    where document.type_event = 'billing_credit'
    group by document.connection, document.document_id, document.header_total_amount
),

parts as (
    select
        connection,
        transaction_id as document_id,
        line_id,
        line_kind,
        itemnumber as product_id,
        warehouse as place_id,
        unitofmeasure as unit,
        source_table,
        record_key as source_key,
        false as is_line_cancelled,
        line_number,
        quantity,
        amount,
        service_start_date,
        service_end_date,
        batch_id
    from transaction_lines
    union all
    -- A credit memo has no tax lines: its tax is what it posts as such.
    select
        distribution.connection,
        distribution.transaction_id,
        distribution.record_key,
        'tax',
        null,
        null,
        null,
        distribution.source_table,
        distribution.record_key as source_key,
        false,
        null,
        null,
        distribution.amount,
        null,
        null,
        distribution.batch_id
    from distributions as distribution
    where distribution.account_kind = 'tax' and distribution.source_table = 'oracle__receivablescreditmemodistributions'
    union all
    select
        line.connection,
        'ORD-' || line.headerid,
        line.lineid,
        'item',
        line.productnumber,
        null,
        line.ordereduom,
        'oracle__salesorderlines',
        line.record_key,
        coalesce(line.canceledflag, false),
        null,
        line.orderedquantity,
        line.extendedamount,
        null,
        null,
        line.batch_id
    from {{ ref('base_oracle__salesorderlines') }} as line
    {{ join_touched('stg_oracle__documents_touched', 'line.connection', "'ORD-' || line.headerid") }}
    union all
    select
        total.connection,
        'ORD-' || total.headerid,
        total.totalcode,
        'tax',
        null,
        null,
        null,
        'oracle__salesordertotals',
        total.record_key,
        false,
        null,
        null,
        total.totalamount,
        null,
        null,
        total.batch_id
    from {{ ref('base_oracle__salesordertotals') }} as total
    {{ join_touched('stg_oracle__documents_touched', 'total.connection', "'ORD-' || total.headerid") }}
    where total.totalcode = 'QP_TOTAL_TAX' and total.totalamount <> 0
),

sold as (
    select
        document.*,
        parts.line_id,
        kinds.kind,
        parts.line_kind,
        parts.product_id,
        parts.place_id,
        parts.unit,
        parts.source_table,
        parts.source_key,
        parts.is_line_cancelled,
        kinds.factor
        * case when parts.source_table = 'oracle__receivablescreditmemolines' then coalesce(signs.sign_factor, 1) else 1 end
            as sign_factor,
        parts.quantity as line_quantity,
        parts.amount as line_amount,
        case when parts.line_kind = 'item' then posted_lines.accountedamount end as ledger_amount,
        parts.service_start_date,
        parts.service_end_date,
        cast(null as date) as own_date,
        parts.batch_id as line_batch_id
    from documents as document
    inner join parts on document.connection = parts.connection and document.document_id = parts.document_id
    cross join (
        select
            'sale' as kind,
            1 as factor
        union all
        select
            'cancel' as kind,
            -1 as factor
    ) as kinds
    left join signs on document.connection = signs.connection and document.document_id = signs.document_id
    left join posted_lines
        on
            parts.connection = posted_lines.connection
            and parts.document_id = posted_lines.transaction_id
            and parts.line_number = posted_lines.line_number
    where
        document.type_event in ('order', 'billing', 'billing_credit')
        and (kinds.kind = 'sale' or (document.is_voided and document.type_event <> 'order'))
),

cash as (
    select
        document.*,
        'header' as line_id,
        'cash' as kind,
        'receipt' as line_kind,
        cast(null as {{ dbt.type_string() }}) as product_id,
        cast(null as {{ dbt.type_string() }}) as place_id,
        cast(null as {{ dbt.type_string() }}) as unit,
        case
            when document.document_type = 'payment' then 'oracle__standardreceipts'
            when document.document_type = 'cash_refund' then 'oracle__receivablescreditmemos'
            else 'oracle__receivablesinvoices'
        end as source_table,
        document.document_id as source_key,
        false as is_line_cancelled,
        1 as sign_factor,
        cast(null as numeric) as line_quantity,
        document.header_total_amount as line_amount,
        cast(null as numeric) as ledger_amount,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        cast(null as date) as own_date,
        document.batch_id as line_batch_id
    from documents as document
    where document.type_event = 'cash' or document.document_type in ('cash_sale', 'cash_refund')
),

postings as (
    select
        document.*,
        distribution.record_key as line_id,
        'posting' as kind,
        distribution.account_kind as line_kind,
        cast(null as {{ dbt.type_string() }}) as product_id,
        cast(null as {{ dbt.type_string() }}) as place_id,
        cast(null as {{ dbt.type_string() }}) as unit,
        distribution.source_table,
        distribution.record_key as source_key,
        false as is_line_cancelled,
        1 as sign_factor,
        cast(null as numeric) as line_quantity,
        distribution.amount as line_amount,
        distribution.accountedamount as ledger_amount,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        distribution.accountingdate as own_date,
        distribution.batch_id as line_batch_id
    from documents as document
    inner join distributions as distribution
        on document.connection = distribution.connection and document.document_id = distribution.transaction_id
    where distribution.account_kind in ('revenue', 'deferred') and document.is_posting
),

-- What somebody adds to or takes off revenue by hand, where the type of the adjustment posts there.
adjusted as (
    select
        document.*,
        adjustment.record_key as line_id,
        'posting' as kind,
        adjustment.account_kind as line_kind,
        cast(null as {{ dbt.type_string() }}) as product_id,
        cast(null as {{ dbt.type_string() }}) as place_id,
        cast(null as {{ dbt.type_string() }}) as unit,
        'oracle__transactionadjustments' as source_table,
        adjustment.record_key as source_key,
        false as is_line_cancelled,
        1 as sign_factor,
        cast(null as numeric) as line_quantity,
        adjustment.amount as line_amount,
        cast(null as numeric) as ledger_amount,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        adjustment.accountingdate as own_date,
        adjustment.batch_id as line_batch_id
    from documents as document
    inner join {{ ref('stg_oracle__adjustments') }} as adjustment
        on document.connection = adjustment.connection and document.document_id = adjustment.document_id
    where adjustment.account_kind in ('revenue', 'deferred')
),

fanned as (
    select {{ oracle_line_columns() }} from sold
    union all
    select {{ oracle_line_columns() }} from cash
    union all
    select {{ oracle_line_columns() }} from postings
    union all
    select {{ oracle_line_columns() }} from adjusted
),

line_events as (
    select
        document_key,
        connection,
        legal_entity_id,
        document_type,
        document_id,
        document_number,
        line_id,
        case
            when kind = 'sale' then type_event
            when kind = 'cancel' then 'billing_cancel'
            when kind = 'posting' and line_kind = 'deferred' then 'deferral'
            when kind = 'posting' then 'recognition'
            when document_type = 'cash_refund' then 'cash_refund'
            else 'cash'
        end as event_type,
        line_kind as leg,
        customer_id,
        product_id,
        place_id,
        case when line_kind = 'item' then sign_factor * line_quantity end as quantity,
        unit,
        currency_code,
        case when kind = 'cash' then null when line_kind = 'tax' then 0 else sign_factor * line_amount end as net_amount,
        case when kind in ('sale', 'cancel') then 0 end as discount_amount,
        case when kind = 'cash' then null when line_kind = 'tax' then sign_factor * line_amount else 0 end as tax_amount,
        case
            when kind in ('sale', 'cancel') then case when line_kind = 'freight' then sign_factor * line_amount else 0 end
        end as freight_amount,
        sign_factor * line_amount as total_amount,
        line_amount as source_amount,
        sign_factor as source_sign,
        sign_factor * ledger_amount as functional_amount,
        exchange_rate as fx_rate,
        'posted' as fx_rate_type,
        document_date as fx_rate_date,
        coalesce(own_date, document_date) as event_date,
        document_date,
        case when is_posting then coalesce(own_date, document_date) end as posting_date,
        coalesce({{ period_of('own_date') }}, posting_period) as period,
        service_start_date,
        service_end_date,
        due_date,
        case when kind = 'posting' then 'posted' else 'document' end as basis,
        case
            when is_cancelled or is_line_cancelled then 'G1'
            when is_voided and kind = 'cash' then 'G1'
            when is_intercompany then 'H1'
            when kind <> 'posting' and (is_out_of_scope or is_pending) then 'H2'
        end as scope_reason,
        source_table,
        source_key,
        source_url,
        modified_at,
        line_batch_id as batch_id
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
        case settlement.payment_type when 'credit_memo' then 'credit' when 'adjustment' then 'adjustment' else 'cash' end as leg,
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
        settlement.applied_amount - settlement.discount_amount as total_amount,
        settlement.applied_amount - settlement.discount_amount as source_amount,
        1 as source_sign,
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
            when document.is_pending or not document.is_posting then 'H2'
        end as scope_reason,
        case
            when settlement.payment_type = 'credit_memo' then 'oracle__creditmemoapplications'
            when settlement.payment_type = 'adjustment' then 'oracle__transactionadjustments'
            else 'oracle__standardreceiptapplications'
        end as source_table,
        settlement.line_id as source_key,
        document.source_url,
        document.modified_at,
        document.batch_id
    from documents as document
    inner join {{ ref('stg_oracle__settlements') }} as settlement
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
