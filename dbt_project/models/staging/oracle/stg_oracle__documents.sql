{# One row per transaction, receipt, adjustment, order and journal that did not come from receivables. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_oracle__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

with orders as (
    select
        header.*,
        account.account_number
    from {{ ref('base_oracle__salesordersfororderhub') }} as header
    left join (
        -- An order names the party that buys; of several accounts of a party the first one stands for it.
        select
            connection,
            partynumber,
            min(accountnumber) as account_number
        from {{ ref('base_oracle__customeraccountslov') }}
        group by connection, partynumber
    ) as account on header.connection = account.connection and header.buyingpartynumber = account.partynumber
),

journals as (
    select
        connection,
        jebatchid,
        batchname,
        status,
        type_code,
        stream,
        min(currencycode) as currency_code,
        min(ledgername) as ledger_name,
        max(currencyconversionrate) as exchange_rate,
        min(defaulteffectivedate) as document_date,
        min(creationdate) as creationdate,
        max(modified_at) as modified_at,
        max(batch_id) as batch_id
    from {{ ref('stg_oracle__journals') }}
    where is_document
    group by connection, jebatchid, batchname, status, type_code, stream
),

line_counts as (
    select
        line.connection,
        line.transaction_id as document_id,
        cast(count(*) as integer) as line_count,
        max(case when line.accountingrule is not null then 1 else 0 end) = 1 as has_billing_schedule
    from {{ ref('stg_oracle__transaction_lines') }} as line
    {{ join_touched('stg_oracle__documents_touched', 'line.connection', 'line.transaction_id') }}
    group by line.connection, line.transaction_id
    union all
    select
        line.connection,
        'ORD-' || line.headerid,
        cast(count(*) as integer),
        max(case when coalesce(line.invoicingrule, line.accountingrule) is not null then 1 else 0 end) = 1
    from {{ ref('base_oracle__salesorderlines') }} as line
    {{ join_touched('stg_oracle__documents_touched', 'line.connection', "'ORD-' || line.headerid") }}
    group by line.connection, line.headerid
),

headers as (
    select
        connection,
        record_key as document_id,
        'transaction' as document_group,
        transactiontype as type_code,
        transactionnumber as document_number,
        businessunit as unit_name,
        cast(null as {{ dbt.type_string() }}) as ledger_name,
        legalentityidentifier as entity_source_id,
        billtocustomernumber as customer_id,
        currency_code,
        status_code,
        cast(null as {{ dbt.type_string() }}) as external_id,
        purchaseorder as reference,
        stream,
        enteredamount as header_total_amount,
        conversionrate as exchange_rate,
        transactiondate as document_date,
        accountingdate as posting_date,
        duedate as due_date,
        creationdate as created_at,
        modified_at,
        batch_id
    from {{ ref('stg_oracle__transactions') }}
    union all
    select
        connection,
        'RCT-' || record_key,
        'receipt',
        type_code,
        receiptnumber,
        businessunit,
        null,
        legalentityidentifier,
        customeraccountnumber,
        currency_code,
        status_code,
        null,
        null,
        'standardReceipts',
        amount,
        conversionrate,
        receiptdate,
        accountingdate,
        null,
        creationdate,
        modified_at,
        batch_id
    from {{ ref('stg_oracle__receipts') }}
    union all
    select
        connection,
        document_id,
        'adjustment',
        type_code,
        adjustmentnumber,
        businessunit,
        null,
        legalentityidentifier,
        billtocustomernumber,
        currency_code,
        null,
        null,
        adjustmentreason,
        'transactionAdjustments',
        amount,
        conversionrate,
        accountingdate,
        accountingdate as posting_date,
        null,
        null,
        modified_at,
        batch_id
    from {{ ref('stg_oracle__adjustments') }}
    union all
    select
        connection,
        'ORD-' || record_key,
        'order',
        type_code,
        ordernumber,
        businessunitname,
        null,
        null,
        coalesce(account_number, buyingpartynumber),
        transactionalcurrencycode,
        statuscode,
        case when sourcetransactionsystem <> 'OPS' then sourcetransactionnumber end,
        customerponumber,
        'salesOrdersForOrderHub',
        null,
        null,
        cast(transactionon as date),
        null,
        null,
        null,
        modified_at,
        batch_id
    from orders
    union all
    select
        connection,
        'JE-' || jebatchid,
        'journal',
        type_code,
        batchname,
        null,
        ledger_name,
        null,
        null,
        currency_code,
        status,
        null,
        null,
        stream,
        null,
        exchange_rate,
        document_date,
        document_date as posting_date,
        null,
        creationdate,
        modified_at,
        batch_id
    from journals
),

touched_headers as (
    select header.*
    from headers as header
    {{ join_touched('stg_oracle__documents_touched', 'header.connection', 'header.document_id') }}
),

mapped as (
    select
        header.connection,
        coalesce(types.document_type, lower(header.type_code)) as document_type,
        header.document_id,
        header.document_number,
        {{ legal_entity('header.connection', 'coalesce(header.entity_source_id, unit.entity_source_id, book.entity_source_id)') }}
            as legal_entity_id,
        header.customer_id,
        coalesce(header.currency_code, {{ connection_attribute('header.connection', 'currency') }}) as currency_code,
        header.type_code as source_type_code,
        header.status_code as source_status_code,
        statuses.status,
        header.external_id,
        nullif(trim(header.reference), '') as reference,
        {{ period_of('header.posting_date') }} as posting_period,
        {{ source_url('header.connection', 'receivablesInvoices', 'header.document_id') }} as transaction_url,
        header.document_group,
        header.header_total_amount,
        -- A rate is told of foreign currency only.
        coalesce(header.exchange_rate, case when header.document_group <> 'order' then 1 end) as exchange_rate,
        coalesce(line_counts.line_count, 0) as line_count,
        header.document_group <> 'order'
        and coalesce(statuses.status, 'open') in ('open', 'closed')
        and not coalesce(types.is_out_of_scope, false)
            as is_posting,
        coalesce(statuses.status = 'voided', false) as is_voided,
        coalesce(statuses.status = 'cancelled', false) as is_cancelled,
        coalesce(statuses.status = 'pending', false) as is_pending,
        coalesce(types.is_intercompany, false) as is_intercompany,
        coalesce(line_counts.has_billing_schedule, false) as has_billing_schedule,
        header.document_date,
        header.due_date,
        cast(null as date) as closed_date,
        header.created_at,
        header.modified_at,
        header.batch_id
    from touched_headers as header
    left join line_counts on header.connection = line_counts.connection and header.document_id = line_counts.document_id
    left join {{ ref('map_oracle_transaction_type') }} as types on header.type_code = types.type_code
    left join {{ ref('map_oracle_status') }} as statuses
        on header.document_group = statuses.document_group and header.status_code = statuses.status_code
    left join {{ ref('stg_oracle__units') }} as unit
        on header.connection = unit.connection and header.unit_name = unit.unit_name
    left join (
        select
            connection,
            ledger_name,
            min(entity_source_id) as entity_source_id
        from {{ ref('stg_oracle__units') }}
        group by connection, ledger_name
    ) as book on header.connection = book.connection and header.ledger_name = book.ledger_name
),

keyed as (
    select
        {{ document_key('connection', 'document_type', 'document_id') }} as document_key,
        case when document_group = 'transaction' then transaction_url end as source_url,
        mapped.*
    from mapped
)

{{ select_contract('documents', 'keyed') }}
