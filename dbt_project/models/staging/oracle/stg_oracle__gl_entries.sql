{#
  Ledger lines, debit positive, in both currencies. Of receivables: their distributions, by their own accounting date,
  because journals of the ledger do not say which transaction they came from. Of adjustments: the receivable, and the kind of
  account that their type posts to; which account it is they do not tell, and who entered them did so by hand. Of
  everything else: posted journals of primary ledgers. An account's kind there is the one that distributions give it.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_oracle__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id']}]
) }}

with documents as (
    select document.*
    from {{ ref('stg_oracle__documents') }} as document
    {{ join_touched('stg_oracle__documents_touched', 'document.connection', 'document.document_id') }}
),

account_kinds as (
    select
        distribution.connection,
        distribution.accountcombination,
        min(classes.account_kind) as account_kind
    from {{ ref('stg_oracle__distributions') }} as distribution
    inner join {{ ref('map_oracle_account_class') }} as classes on distribution.accountclass = classes.class_code
    where classes.account_kind in ('revenue', 'deferred', 'receivable', 'tax')
    group by distribution.connection, distribution.accountcombination
    having count(distinct classes.account_kind) = 1
),

ledgers as (
    select
        connection,
        name as ledger_name,
        currencycode
    from {{ ref('base_oracle__ledgerslov') }}
    where coalesce(ledgercategorycode, 'PRIMARY') = 'PRIMARY'
),

functional as (
    select
        connection,
        entity_source_id,
        min(functional_currency_code) as functional_currency_code
    from {{ ref('stg_oracle__units') }}
    group by connection, entity_source_id
),

entity_currencies as (
    select
        connection,
        {{ legal_entity('connection', 'entity_source_id') }} as legal_entity_id,
        functional_currency_code
    from functional
),

entries as (
    select
        document.document_key,
        document.connection,
        document.legal_entity_id,
        document.document_number as entry_id,
        distribution.record_key as line_id,
        distribution.accountcombination as account_code,
        coalesce(classes.account_kind, 'other') as account_kind,
        coalesce(classes.debit_factor, 1) * distribution.amount as amount,
        document.currency_code,
        coalesce(classes.debit_factor, 1) * distribution.accountedamount as functional_amount,
        coalesce(
            entity_currencies.functional_currency_code, {{ connection_attribute('document.connection', 'currency') }}
        ) as functional_currency_code,
        coalesce(distribution.accountingdate, header.accountingdate, document.document_date) as posting_date,
        document.document_type,
        document.document_id,
        document.customer_id,
        false as is_manual,
        'primary' as ledger_book
    from documents as document
    inner join {{ ref('stg_oracle__distributions') }} as distribution
        on document.connection = distribution.connection and document.document_id = distribution.transaction_id
    inner join {{ ref('stg_oracle__transactions') }} as header
        on document.connection = header.connection and document.document_id = header.record_key
    left join {{ ref('map_oracle_account_class') }} as classes on distribution.accountclass = classes.class_code
    left join entity_currencies
        on
            document.connection = entity_currencies.connection
            and document.legal_entity_id = entity_currencies.legal_entity_id
    where document.is_posting
    union all
    select
        document.document_key,
        document.connection,
        document.legal_entity_id,
        document.document_number,
        sides.side,
        null,
        case when sides.side = 'receivable' then 'receivable' else adjustment.account_kind end,
        sides.factor * adjustment.amount,
        document.currency_code,
        sides.factor
        * {{ round_minor('adjustment.amount * document.exchange_rate', 'coalesce(functional_currency.minor_units, 2)') }},
        coalesce(
            entity_currencies.functional_currency_code, {{ connection_attribute('document.connection', 'currency') }}
        ),
        adjustment.accountingdate,
        document.document_type,
        document.document_id,
        document.customer_id,
        true,
        'primary'
    from documents as document
    inner join {{ ref('stg_oracle__adjustments') }} as adjustment
        on document.connection = adjustment.connection and document.document_id = adjustment.document_id
    cross join (
        select
            'receivable' as side,
            1 as factor
        union all
        select
            'activity' as side,
            -1 as factor
    ) as sides
    left join entity_currencies
        on
            document.connection = entity_currencies.connection
            and document.legal_entity_id = entity_currencies.legal_entity_id
    left join {{ ref('iso_currencies') }} as functional_currency
        on entity_currencies.functional_currency_code = functional_currency.currency_code
    where document.is_posting
    union all
    select
        document.document_key,
        document.connection,
        document.legal_entity_id,
        journal.journalname,
        line.record_key,
        line.accountcombination,
        coalesce(account_kinds.account_kind, 'other'),
        coalesce(line.entereddr, 0) - coalesce(line.enteredcr, 0),
        coalesce(line.currencycode, document.currency_code),
        coalesce(line.accounteddr, 0) - coalesce(line.accountedcr, 0),
        ledgers.currencycode,
        journal.defaulteffectivedate,
        document.document_type,
        document.document_id,
        document.customer_id,
        true,
        'primary'
    from documents as document
    inner join {{ ref('stg_oracle__journals') }} as journal
        on document.connection = journal.connection and document.document_id = 'JE-' || journal.jebatchid
    inner join {{ ref('stg_oracle__journal_lines') }} as line
        on journal.connection = line.connection and journal.jeheaderid = line.jeheaderid
    inner join ledgers on journal.connection = ledgers.connection and journal.ledgername = ledgers.ledger_name
    left join account_kinds
        on line.connection = account_kinds.connection and line.accountcombination = account_kinds.accountcombination
    where document.is_posting
),

dated as (
    select
        entries.*,
        {{ period_of('posting_date') }} as period
    from entries
)

{{ select_contract('gl_entries', 'dated') }}
