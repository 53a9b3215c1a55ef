{#
  Lines of transactions as events. One line may be several events; `kinds` fans it out in one pass:
    sale     item, discount, freight and tax lines of orders, bills and credits. NetSuite's amounts follow the ledger,
             so a sale's lines are negative: the seller's view is -foreignamount.
    cancel   the same lines taken back, where a bill is voided.
    The item lines of a fulfilment are a delivery: its quantities, without amounts.
    cash     the main line of payments, refunds, and of cash sales, which settle themselves; its sign is the seller's.
    posting  what posted to a revenue or deferred revenue account of the primary book, journals included.
  Applications come from the links between payments and what they settle.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_netsuite__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with documents as (
    select
        document.*,
        types.event_type as type_event,
        coalesce(types.is_out_of_scope, false) as is_out_of_scope
    from {{ ref('stg_netsuite__documents') }} as document
    left join {{ ref('map_netsuite_transaction_type') }} as types on document.source_type_code = types.type_code
    {{ join_touched('stg_netsuite__documents_touched', 'document.connection', 'document.document_id') }}
),

ledger as (
    select
        entry.connection,
        entry.transaction,
        entry.transactionline,
        entry.amount,
        entry.batch_id,
        account_types.account_kind,
        coalesce(account.eliminate, false) as is_elimination
    from {{ ref('base_netsuite__transactionaccountingline') }} as entry
    left join {{ ref('base_netsuite__accountingbook') }} as book
        on entry.connection = book.connection and entry.accountingbook = book.record_key
    left join {{ ref('base_netsuite__account') }} as account
        on entry.connection = account.connection and entry.account = account.record_key
    left join
        {{ ref('map_netsuite_account_type') }} as account_types
        on account.accttype = account_types.account_type_code
    where entry.posting and coalesce(book.isprimary, true)
),

lines as (
    select
        document.*,
        line.id as line_id,
        line.uniquekey,
        line.item,
        line.quantity as line_quantity,
        line.foreignamount,
        ledger.amount as ledger_amount,
        ledger.account_kind,
        coalesce(line.mainline, false) as is_main,
        coalesce(line.eliminate, false) or coalesce(ledger.is_elimination, false) as is_eliminated,
        case
            when coalesce(line.taxline, false) or line.itemtype = 'TaxItem' then 'tax'
            when coalesce(line.transactiondiscount, false) or line.itemtype = 'Discount' then 'discount'
            when line.itemtype = 'ShipItem' then 'freight'
            else 'item'
        end as line_kind,
        coalesce(line.iscogs, false)
        or coalesce(line.donotdisplayline, false)
        or coalesce(line.itemtype in ('Subtotal', 'Group', 'EndGroup', 'Description', 'Payment'), false) as is_not_sold,
        line.batch_id as line_batch_id
    from documents as document
    inner join {{ ref('base_netsuite__transactionline') }} as line
        on document.connection = line.connection and document.document_id = line.transaction
    left join ledger
        on
            line.connection = ledger.connection
            and line.transaction = ledger.transaction
            and line.id = ledger.transactionline
),

kinds as (
    select 'sale' as kind
    union all
    select 'cancel' as kind
    union all
    select 'cash' as kind
    union all
    select 'posting' as kind
),

fanned as (
    select
        lines.*,
        kinds.kind,
        case when kinds.kind in ('cash', 'cancel') then 1 else -1 end as sign_factor
    from lines
    inner join kinds
        on
            (
                kinds.kind = 'sale'
                and lines.type_event in ('order', 'billing', 'billing_credit', 'delivery')
                and not lines.is_main
                and not lines.is_not_sold
                and (lines.type_event <> 'delivery' or lines.line_kind = 'item')
            )
            or (
                kinds.kind = 'cancel'
                and lines.type_event in ('billing', 'billing_credit')
                and lines.is_voided
                and not lines.is_main
                and not lines.is_not_sold
            )
            or (
                kinds.kind = 'cash'
                and lines.is_main
                and (lines.type_event in ('cash', 'cash_refund') or lines.document_type in ('cash_sale', 'cash_refund'))
            )
            or (kinds.kind = 'posting' and lines.account_kind in ('revenue', 'deferred'))
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
            when kind = 'posting' and account_kind = 'deferred' then 'deferral'
            when kind = 'posting' then 'recognition'
            when document_type in ('cash_refund', 'customer_refund') then 'cash_refund'
            else 'cash'
        end as event_type,
        case
            when kind = 'cash' then 'receipt'
            when kind = 'posting' then account_kind
            else line_kind
        end as leg,
        customer_id,
        case when line_kind <> 'tax' and kind <> 'cash' then item end as product_id,
        cast(null as {{ dbt.type_string() }}) as place_id,
        case when kind in ('sale', 'cancel') and line_kind = 'item' then sign_factor * line_quantity end as quantity,
        cast(null as {{ dbt.type_string() }}) as unit,
        currency_code,
        case
            when kind = 'cash' or type_event = 'delivery' then null
            when kind <> 'posting' and line_kind = 'tax' then 0
            else sign_factor * foreignamount
        end
            as net_amount,
        case
            when
                kind in ('sale', 'cancel') and type_event <> 'delivery'
                then case when line_kind = 'discount' then sign_factor * foreignamount else 0 end
        end
            as discount_amount,
        case
            when kind = 'cash' or type_event = 'delivery' then null
            when
                kind <> 'posting' and line_kind = 'tax'
                then sign_factor * foreignamount
            else 0
        end
            as tax_amount,
        case
            when
                kind in ('sale', 'cancel') and type_event <> 'delivery'
                then case when line_kind = 'freight' then sign_factor * foreignamount else 0 end
        end
            as freight_amount,
        case when coalesce(type_event, '') <> 'delivery' then sign_factor * foreignamount end as total_amount,
        case when coalesce(type_event, '') <> 'delivery' then foreignamount end as source_amount,
        sign_factor as source_sign,
        sign_factor * ledger_amount as functional_amount,
        exchange_rate as fx_rate,
        'posted' as fx_rate_type,
        document_date as fx_rate_date,
        case when kind = 'cancel' then coalesce(closed_date, document_date) else document_date end as event_date,
        document_date,
        case when is_posting then document_date end as posting_date,
        posting_period as period,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        due_date,
        case when kind = 'posting' then 'posted' else 'document' end as basis,
        case
            when is_cancelled then 'G1'
            when is_eliminated then 'H1'
            when kind <> 'posting' and (is_out_of_scope or is_pending) then 'H2'
            when kind <> 'posting' and type_event not in ('order', 'delivery') and not is_posting then 'H2'
        end as scope_reason,
        'netsuite__transactionline' as source_table,
        uniquekey as source_key,
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
            when document.is_pending or not document.is_posting then 'H2'
        end as scope_reason,
        'netsuite__nexttransactionlink' as source_table,
        settlement.line_id as source_key,
        document.source_url,
        document.modified_at,
        document.batch_id
    from documents as document
    inner join {{ ref('stg_netsuite__settlements') }} as settlement
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
