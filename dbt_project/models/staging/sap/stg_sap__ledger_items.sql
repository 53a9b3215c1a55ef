{#
  Items of accounting documents, with the document that they belong to: what was posted for a billing document is part of
  it, and what its cancellation posted belongs to the cancelled one. Amounts are signed, debit positive.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_sap__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}, {'columns': ['connection', 'ledger_id']}]
) }}

with items as (
    select
        item.*,
        coalesce(billing.cancelled_id, item.billing_id, item.ledger_id) as document_id
    from {{ ref('base_sap__accountingitem') }} as item
    left join {{ ref('base_sap__billing') }} as billing
        on item.connection = billing.connection and item.billing_id = billing.document_id
)

select
    items.connection,
    items.document_id,
    items.ledger_id,
    items.line_id,
    items.record_key,
    items.billing_id,
    items.company_code,
    items.accounting_type,
    items.account_type,
    {{ sap_number('items.account_code') }} as account_code,
    coalesce(
        account.account_kind,
        case
            when items.account_type = 'D' then 'receivable'
            when items.transaction_key = 'MWS' then 'tax'
            when items.transaction_key in ('KDF', 'KDB', 'KDM') then 'fx'
            else 'other'
        end
    ) as account_kind,
    items.customer_id,
    items.partner_company,
    items.product_id,
    items.reference,
    items.assignment,
    items.invoice_ledger_id,
    items.clearing_ledger_id,
    items.currency_code,
    items.functional_currency_code,
    items.amount,
    items.functional_amount,
    items.posting_date,
    items.document_date,
    items.due_date,
    items.cleared_date,
    items.modified_at,
    items.batch_id
from items
left join {{ ref('map_sap_account') }} as account
    on
        items.chart_of_accounts = account.chart_of_accounts
        and lpad({{ sap_number('items.account_code') }}, 10, '0') between account.first_account and account.last_account
{{ join_touched('stg_sap__documents_touched', 'items.connection', 'items.document_id') }}
