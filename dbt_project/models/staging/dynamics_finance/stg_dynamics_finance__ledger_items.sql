{#
  Lines of vouchers in the layer Current, with what their header knows (company, day) and the document that the voucher is
  part of. Amounts are signed, debit positive; IsCredit only says so again.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_dynamics_finance__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with entries as (
    select
        entry.connection,
        entry.id,
        entry.voucher,
        coalesce(entry.company, ledger.id) as company,
        entry.category_code,
        entry.document_number,
        entry.posting_date,
        entry.document_date,
        entry.batch_id,
        coalesce(ledger.currency, own.currency) as functional_currency_code
    from {{ ref('base_dynamics_finance__generaljournalentry') }} as entry
    left join {{ ref('base_dynamics_finance__ledgers') }} as ledger
        on entry.connection = ledger.connection and entry.ledger_id = ledger.ledger_id
    left join {{ ref('base_dynamics_finance__ledgers') }} as own
        on entry.connection = own.connection and entry.company = own.id
    where entry.layer = 'Current'
),

items as (
    select
        line.connection,
        coalesce(vouchers.document_id, 'G' || entries.id) as document_id,
        entries.id as entry_id,
        line.line_id,
        line.record_key,
        entries.company,
        entries.category_code,
        entries.document_number,
        entries.posting_date,
        entries.document_date,
        entries.functional_currency_code,
        line.main_account_id,
        line.posting_type,
        line.currency_code,
        line.amount,
        line.functional_amount,
        line.modified_at,
        case when entries.batch_id > line.batch_id then entries.batch_id else line.batch_id end as batch_id
    from {{ ref('base_dynamics_finance__voucherline') }} as line
    inner join entries on line.connection = entries.connection and line.entry_id = entries.id
    left join {{ ref('stg_dynamics_finance__vouchers') }} as vouchers
        on
            entries.connection = vouchers.connection
            and entries.company = vouchers.company
            and entries.voucher = vouchers.voucher
)

select
    items.*,
    coalesce(account.account_code, items.main_account_id) as account_code,
    coalesce(nullif(posting.account_kind, ''), kind.account_kind, 'other') as account_kind
from items
left join {{ ref('base_dynamics_finance__mainaccounts') }} as account
    on items.connection = account.connection and items.main_account_id = account.id
left join {{ ref('map_dynamics_finance_posting_type') }} as posting on items.posting_type = posting.posting_type
left join {{ ref('map_dynamics_finance_account_type') }} as kind on account.account_type = kind.account_type
{{ join_touched('stg_dynamics_finance__documents_touched', 'items.connection', 'items.document_id') }}
