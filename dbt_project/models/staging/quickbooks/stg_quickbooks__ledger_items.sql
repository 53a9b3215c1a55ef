{#
  The books as documents make them: QuickBooks has no list of postings, and posts by the day of the document. Debit positive,
  in the document's currency and in the company's own. The side of the customer or the till takes the sum of the others. Of a
  payment, what its rate and that of its invoice leave is gain or loss. Lines of a journal are as somebody wrote them.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_quickbooks__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

{% set text, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as numeric)' -%}
with accounts as (
    select
        account.connection,
        account.id,
        account.account_code,
        account.account_type,
        account.account_subtype,
        coalesce(subtype.account_kind, kind.account_kind, 'other') as account_kind
    from {{ ref('base_quickbooks__account') }} as account
    left join {{ ref('map_quickbooks_account_subtype') }} as subtype on account.account_subtype = subtype.account_subtype
    left join {{ ref('map_quickbooks_account_type') }} as kind on account.account_type = kind.account_type
),

-- The account of a kind where a document does not name its own: the first of its kind.
ordinary as (
    select
        connection,
        min(case when account_type = 'Accounts Receivable' then id end) as receivable,
        min(case when account_subtype = 'UndepositedFunds' then id end) as undeposited,
        min(case when account_kind = 'tax' then id end) as tax,
        min(case when account_kind = 'fx' then id end) as fx
    from accounts
    group by connection
),

homes as (
    select
        company.connection,
        company.home_currency,
        coalesce(currencies.minor_units, 2) as digits
    from {{ ref('base_quickbooks__preferences') }} as company
    left join {{ ref('iso_currencies') }} as currencies on company.home_currency = currencies.currency_code
),

sales as (
    select
        sale.*,
        homes.digits
    from {{ ref('stg_quickbooks__sales') }} as sale
    inner join homes on sale.connection = homes.connection
    {{ join_touched('stg_quickbooks__documents_touched', 'sale.connection', 'sale.document_id') }}
    where sale.entity <> 'Estimate' and not sale.is_voided
),

sale_lines as (
    select
        sales.connection,
        sales.document_id,
        line.line_id,
        case when line.line_kind = 'tax' then ordinary.tax else line.account_id end as account_id,
        case when line.line_kind = 'tax' then 'tax' else 'revenue' end as own_kind,
        -(line.net_amount + line.tax_amount) as amount,
        {{ round_minor('-(line.net_amount + line.tax_amount) * sales.exchange_rate', 'sales.digits') }} as functional_amount,
        sales.currency_code,
        sales.document_date,
        line.source_table,
        line.record_key,
        case when line.batch_id > sales.batch_id then line.batch_id else sales.batch_id end as batch_id
    from sales
    inner join {{ ref('stg_quickbooks__sale_lines') }} as line
        on sales.connection = line.connection and sales.document_id = line.document_id
    left join ordinary on sales.connection = ordinary.connection
),

sale_totals as (
    select
        sales.connection,
        sales.document_id,
        'total' as line_id,
        case
            when sales.entity in ('SalesReceipt', 'RefundReceipt') then coalesce(sales.deposit_account, ordinary.undeposited)
            else coalesce(sales.receivable_account, ordinary.receivable)
        end as account_id,
        case when sales.entity in ('SalesReceipt', 'RefundReceipt') then 'cash' else 'receivable' end as own_kind,
        -lines.amount as amount,
        -lines.functional_amount as functional_amount,
        sales.currency_code,
        sales.document_date,
        'quickbooks__' || lower(sales.entity) as source_table,
        sales.record_key,
        sales.batch_id
    from sales
    inner join (
        select
            connection,
            document_id,
            sum(amount) as amount,
            sum(functional_amount) as functional_amount
        from sale_lines
        group by connection, document_id
    ) as lines on sales.connection = lines.connection and sales.document_id = lines.document_id
    left join ordinary on sales.connection = ordinary.connection
),

payments as (
    select
        payment.connection,
        payment.document_id,
        payment.document_date,
        payment.total_amount,
        payment.record_key,
        payment.batch_id,
        coalesce(payment.currency_code, homes.home_currency) as currency_code,
        case
            when coalesce(payment.currency_code, homes.home_currency) = homes.home_currency then 1 else payment.exchange_rate
        end as exchange_rate,
        homes.digits,
        coalesce(payment.deposit_account, ordinary.undeposited) as cash_account,
        coalesce(payment.receivable_account, ordinary.receivable) as receivable_account,
        ordinary.fx as fx_account
    from {{ ref('base_quickbooks__payment') }} as payment
    inner join homes on payment.connection = homes.connection
    left join ordinary on payment.connection = ordinary.connection
    {{ join_touched('stg_quickbooks__documents_touched', 'payment.connection', 'payment.document_id') }}
    where payment.total_amount <> 0 and not payment.is_voided
),

payment_lines as (
    select
        payments.connection,
        payments.document_id,
        'cash' as line_id,
        payments.cash_account as account_id,
        'cash' as own_kind,
        payments.total_amount as amount,
        {{ round_minor('payments.total_amount * payments.exchange_rate', 'payments.digits') }} as functional_amount
    from payments
    union all
    select
        payments.connection,
        payments.document_id,
        application.part || '/' || application.invoice_id,
        payments.receivable_account,
        'receivable',
        -application.amount,
        {{ round_minor('-application.amount * coalesce(sale.exchange_rate, payments.exchange_rate)', 'payments.digits') }}
    from payments
    inner join {{ ref('stg_quickbooks__applications') }} as application
        on payments.connection = application.connection and payments.document_id = application.payer_id
    left join {{ ref('stg_quickbooks__sales') }} as sale
        on application.connection = sale.connection and application.invoice_id = sale.document_id
    union all
    select
        payments.connection,
        payments.document_id,
        'unapplied',
        payments.receivable_account,
        'receivable',
        coalesce(used.amount, 0) - payments.total_amount,
        {{ round_minor('(coalesce(used.amount, 0) - payments.total_amount) * payments.exchange_rate', 'payments.digits') }}
    from payments
    left join (
        select
            connection,
            payer_id,
            sum(amount) as amount
        from {{ ref('stg_quickbooks__applications') }}
        group by connection, payer_id
    ) as used on payments.connection = used.connection and payments.document_id = used.payer_id
    where payments.total_amount <> coalesce(used.amount, 0)
),

gains as (
    select
        payments.connection,
        payments.document_id,
        'fx' as line_id,
        payments.fx_account as account_id,
        'fx' as own_kind,
        cast(0 as numeric) as amount,
        -lines.functional_amount as functional_amount
    from payments
    inner join (
        select
            connection,
            document_id,
            sum(functional_amount) as functional_amount
        from payment_lines
        group by connection, document_id
    ) as lines on payments.connection = lines.connection and payments.document_id = lines.document_id
    where lines.functional_amount <> 0
),

written as (
    select
        journal.connection,
        journal.document_id,
        line.line_id,
        line.account as account_id,
        case when line.posting_type = 'Credit' then -line.amount else line.amount end as signed_amount,
        journal.currency_code,
        journal.exchange_rate,
        journal.document_date,
        'quickbooks__journalentryline' as source_table,
        line.record_key,
        case when line.batch_id > journal.batch_id then line.batch_id else journal.batch_id end as batch_id
    from {{ ref('base_quickbooks__journalentry') }} as journal
    {{ join_touched('stg_quickbooks__documents_touched', 'journal.connection', 'journal.document_id') }}
    inner join {{ ref('base_quickbooks__journalentryline') }} as line
        on journal.connection = line.connection and journal.document_id = line.document_id
    where line.kind = 'line' and line.account is not null
    union all
    select
        deposit.connection,
        deposit.document_id,
        line.line_id,
        coalesce(line.account, ordinary.undeposited),
        -line.amount,
        deposit.currency_code,
        deposit.exchange_rate,
        deposit.document_date,
        'quickbooks__depositline',
        line.record_key,
        case when line.batch_id > deposit.batch_id then line.batch_id else deposit.batch_id end
    from {{ ref('base_quickbooks__deposit') }} as deposit
    {{ join_touched('stg_quickbooks__documents_touched', 'deposit.connection', 'deposit.document_id') }}
    inner join {{ ref('base_quickbooks__depositline') }} as line
        on deposit.connection = line.connection and deposit.document_id = line.document_id
    left join ordinary on deposit.connection = ordinary.connection
    where line.kind = 'line' and line.amount <> 0
    union all
    select
        deposit.connection,
        deposit.document_id,
        'total',
        deposit.deposit_account,
        deposit.total_amount,
        deposit.currency_code,
        deposit.exchange_rate,
        deposit.document_date,
        'quickbooks__deposit',
        deposit.record_key,
        deposit.batch_id
    from {{ ref('base_quickbooks__deposit') }} as deposit
    {{ join_touched('stg_quickbooks__documents_touched', 'deposit.connection', 'deposit.document_id') }}
    where deposit.total_amount <> 0
),

translated as (
    select
        written.connection,
        written.document_id,
        written.line_id,
        written.account_id,
        written.signed_amount,
        coalesce(written.currency_code, homes.home_currency) as currency_code,
        case when written.currency_code <> homes.home_currency then written.exchange_rate end as foreign_rate,
        homes.digits,
        written.document_date,
        written.source_table,
        written.record_key,
        written.batch_id
    from written
    inner join homes on written.connection = homes.connection
),

items as (
    select * from sale_lines
    union all
    select * from sale_totals
    union all
    select
        line.connection,
        line.document_id,
        line.line_id,
        line.account_id,
        line.own_kind,
        line.amount,
        line.functional_amount,
        payments.currency_code,
        payments.document_date,
        'quickbooks__payment' as source_table,
        payments.record_key,
        payments.batch_id
    from (
        select * from payment_lines
        union all
        select * from gains
    ) as line
    inner join payments on line.connection = payments.connection and line.document_id = payments.document_id
    union all
    select
        written.connection,
        written.document_id,
        written.line_id,
        written.account_id,
        {{ text }} as own_kind,
        written.signed_amount,
        {{ round_minor('written.signed_amount * coalesce(written.foreign_rate, 1)', 'written.digits') }},
        written.currency_code,
        written.document_date,
        written.source_table,
        written.record_key,
        written.batch_id
    from translated as written
)

select
    items.connection,
    items.document_id,
    items.line_id,
    items.account_id,
    coalesce(accounts.account_code, items.account_id) as account_code,
    coalesce(case when items.own_kind in ('tax', 'fx') then items.own_kind end, accounts.account_kind, items.own_kind, 'other')
        as account_kind,
    items.amount,
    items.functional_amount,
    items.currency_code,
    homes.home_currency as functional_currency_code,
    items.document_date as posting_date,
    items.source_table,
    items.record_key,
    items.batch_id
from items
inner join homes on items.connection = homes.connection
left join accounts on items.connection = accounts.connection and items.account_id = accounts.id
