{# One row per transaction. A header has no subsidiary: it is that of the main line. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_netsuite__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

with headers as (
    select header.*
    from {{ ref('base_netsuite__transaction') }} as header
    {{ join_touched('stg_netsuite__documents_touched', 'header.connection', 'header.record_key') }}
),

line_facts as (
    select
        line.connection,
        line.transaction,
        coalesce(max(case when line.mainline then line.subsidiary end), max(line.subsidiary)) as subsidiary,
        cast(count(*) as integer) as line_count,
        max(case when line.eliminate then 1 else 0 end) = 1 as is_intercompany,
        max(case when line.billingschedule is not null then 1 else 0 end) = 1 as has_billing_schedule,
        max(line.batch_id) as batch_id
    from {{ ref('base_netsuite__transactionline') }} as line
    {{ join_touched('stg_netsuite__documents_touched', 'line.connection', 'line.transaction') }}
    group by line.connection, line.transaction
),

types as (
    select
        type_code,
        document_type,
        is_out_of_scope
    from {{ ref('map_netsuite_transaction_type') }}
),

statuses as (
    select
        type_code,
        status_code,
        status
    from {{ ref('map_netsuite_status') }}
),

mapped as (
    select
        header.connection,
        coalesce(types.document_type, lower(header.type)) as document_type,
        header.id as document_id,
        coalesce(header.tranid, header.transactionnumber, header.id) as document_number,
        {{ legal_entity('header.connection', 'line_facts.subsidiary') }} as legal_entity_id,
        header.entity as customer_id,
        coalesce(currency.symbol, {{ connection_attribute('header.connection', 'currency') }}) as currency_code,
        header.type as source_type_code,
        header.status as source_status_code,
        statuses.status,
        nullif(trim(header.externalid), '') as external_id,
        nullif(trim(header.otherrefnum), '') as reference,
        coalesce({{ period_of('period.startdate') }}, {{ period_of('header.trandate') }}) as posting_period,
        {{ source_url('header.connection', 'transaction', 'header.id') }} as source_url,
        header.foreigntotal as header_total_amount,
        header.exchangerate as exchange_rate,
        coalesce(line_facts.line_count, 0) as line_count,
        coalesce(header.posting, false) as is_posting,
        coalesce(header.voided, false) or coalesce(statuses.status = 'voided', false) as is_voided,
        coalesce(statuses.status = 'cancelled', false) as is_cancelled,
        coalesce(statuses.status in ('pending', 'rejected'), false)
        or coalesce(header.approvalstatus in ('1', '3'), false)
            as is_pending,
        coalesce(line_facts.is_intercompany, false) as is_intercompany,
        coalesce(line_facts.has_billing_schedule, false) as has_billing_schedule,
        header.trandate as document_date,
        header.duedate as due_date,
        header.closedate as closed_date,
        header.createddate as created_at,
        header.modified_at,
        case when line_facts.batch_id > header.batch_id then line_facts.batch_id else header.batch_id end as batch_id
    from headers as header
    left join line_facts on header.connection = line_facts.connection and header.record_key = line_facts.transaction
    left join types on header.type = types.type_code
    left join statuses on header.type = statuses.type_code and header.status = statuses.status_code
    left join {{ ref('base_netsuite__currency') }} as currency
        on header.connection = currency.connection and header.currency = currency.record_key
    left join {{ ref('base_netsuite__accountingperiod') }} as period
        on header.connection = period.connection and header.postingperiod = period.record_key
),

keyed as (
    select
        {{ document_key('connection', 'document_type', 'document_id') }} as document_key,
        mapped.*
    from mapped
)

{{ select_contract('documents', 'keyed') }}
