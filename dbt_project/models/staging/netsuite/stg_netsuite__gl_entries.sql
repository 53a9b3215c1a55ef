{# Posted ledger lines of the primary book, debit positive, in both currencies. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_netsuite__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with documents as (
    select document.*
    from {{ ref('stg_netsuite__documents') }} as document
    {{ join_touched('stg_netsuite__documents_touched', 'document.connection', 'document.document_id') }}
),

accounts as (
    select
        account.connection,
        account.record_key,
        coalesce(account.acctnumber, account.id) as account_code,
        coalesce(special.account_kind, kind.account_kind, 'other') as account_kind
    from {{ ref('base_netsuite__account') }} as account
    left join {{ ref('map_netsuite_account_type') }} as kind on account.accttype = kind.account_type_code
    left join {{ ref('map_netsuite_special_account') }} as special
        on lower(account.sspecacct) = special.special_account_code
),

entries as (
    select
        document.document_key,
        document.connection,
        {{ legal_entity('document.connection', 'line.subsidiary') }} as legal_entity_id,
        document.document_number as entry_id,
        entry.transactionline as line_id,
        accounts.account_code,
        coalesce(accounts.account_kind, 'other') as account_kind,
        line.foreignamount as amount,
        document.currency_code,
        entry.amount as functional_amount,
        coalesce(functional.symbol, {{ connection_attribute('document.connection', 'currency') }})
            as functional_currency_code,
        document.document_date as posting_date,
        document.posting_period as period,
        document.document_type,
        document.document_id,
        coalesce(line.entity, document.customer_id) as customer_id,
        document.document_type = 'journal' as is_manual,
        coalesce(book.name, 'primary') as ledger_book
    from documents as document
    inner join {{ ref('base_netsuite__transactionaccountingline') }} as entry
        on document.connection = entry.connection and document.document_id = entry.transaction
    left join {{ ref('base_netsuite__transactionline') }} as line
        on
            entry.connection = line.connection
            and entry.transaction = line.transaction
            and entry.transactionline = line.id
    left join {{ ref('base_netsuite__accountingbook') }} as book
        on entry.connection = book.connection and entry.accountingbook = book.record_key
    left join accounts on entry.connection = accounts.connection and entry.account = accounts.record_key
    left join {{ ref('base_netsuite__subsidiary') }} as subsidiary
        on line.connection = subsidiary.connection and line.subsidiary = subsidiary.record_key
    left join {{ ref('base_netsuite__currency') }} as functional
        on subsidiary.connection = functional.connection and subsidiary.currency = functional.record_key
    where entry.posting and coalesce(book.isprimary, true)
)

{{ select_contract('gl_entries', 'entries') }}
