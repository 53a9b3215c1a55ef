{#
  Documents of which anything that was landed changed since the last build: header, lines, transactions, settlements, vouchers,
  payment journals, whose lines come to count or cease to when their journal is posted and when their transaction comes.
  A reversal takes its original with it, and what a voucher says is part of the document that it belongs to.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{% set references = ref('stg_dynamics_finance__references') -%}
{% set text = dbt.type_string() -%}
with vouchers as (
    select *
    from {{ ref('stg_dynamics_finance__vouchers') }}
),

everything as (
    select
        connection,
        document_id
    from {{ ref('base_dynamics_finance__salesorderheaders') }}
    union
    select
        connection,
        document_id
    from {{ ref('base_dynamics_finance__custinvoicejour') }}
    union
    select
        connection,
        document_id
    from {{ ref('base_dynamics_finance__freetextinvoiceheaders') }}
    where not is_posted
    union
    select
        connection,
        document_id
    from vouchers
    union
    select
        connection,
        document_id
    from {{ ref('stg_dynamics_finance__transactions') }}
    union
    select
        connection,
        document_id
    from {{ ref('stg_dynamics_finance__payment_lines') }}
    union
    select
        entry.connection,
        coalesce(vouchers.document_id, 'G' || entry.id) as document_id
    from {{ ref('base_dynamics_finance__generaljournalentry') }} as entry
    left join vouchers
        on
            entry.connection = vouchers.connection
            and entry.company = vouchers.company
            and entry.voucher = vouchers.voucher
)
{%- if is_partial_build() %}
{% set sources = 'dynamics_finance' -%}
,

landed as (
    select
        _connection as connection,
        lower(dataareaid) || '|' || salesordernumber as document_id
    from {{ source(sources, 'dynamics_finance__salesorderheaders') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        lower(dataareaid) || '|' || salesordernumber
    from {{ source(sources, 'dynamics_finance__salesorderlines') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        'J' || cast(sourcekey as {{ text }})
    from {{ source(sources, 'dynamics_finance__custinvoicejour') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        'J' || cast(reversedrecid as {{ text }})
    from {{ source(sources, 'dynamics_finance__custinvoicejour') }}
    where {{ landed_since_last_build() }} and reversedrecid <> 0
    union
    select
        line._connection,
        invoice.document_id
    from {{ source(sources, 'dynamics_finance__custinvoicetrans') }} as line
    inner join {{ ref('base_dynamics_finance__custinvoicejour') }} as invoice
        on
            line._connection = invoice.connection
            and upper(line.dataareaid) = invoice.company
            and line.invoiceid = invoice.invoice_number
            and line.invoicedate = invoice.document_date
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        'F' || cast(invoiceidentifier as {{ text }})
    from {{ source(sources, 'dynamics_finance__freetextinvoiceheaders') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        'F' || cast(parentrecid as {{ text }})
    from {{ source(sources, 'dynamics_finance__freetextinvoicelines') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        'T' || cast(sourcekey as {{ text }})
    from {{ source(sources, 'dynamics_finance__custtrans') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        'P' || _key
    from {{ source(sources, 'dynamics_finance__customerpaymentjournallines') }}
    where {{ landed_since_last_build() }}
    union
    select
        journal._connection,
        line.document_id
    from {{ source(sources, 'dynamics_finance__customerpaymentjournalheaders') }} as journal
    inner join {{ ref('base_dynamics_finance__paymentlines') }} as line
        on
            journal._connection = line.connection
            and upper(journal.dataareaid) = line.journal_company
            and journal.journalbatchnumber = line.journal_number
    where {{ landed_since_last_build() }}
),

-- Settlements that came or went: their documents, on both sides, by the vouchers of their transactions.
settled as (
    {% for column in ['transrecid', 'offsetrecid'] -%}
    select
        settlement._connection as connection,
        trans.document_id
    from {{ source(sources, 'dynamics_finance__custsettlement') }} as settlement
    inner join {{ ref('stg_dynamics_finance__transactions') }} as trans
        on
            settlement._connection = trans.connection
            and cast(settlement.{{ column }} as {{ text }}) = trans.transaction_id
    where {{ landed_since_last_build() }}
    union
    {% endfor -%}
    select
        trans._connection,
        vouchers.document_id
    from {{ source(sources, 'dynamics_finance__custtrans') }} as trans
    inner join vouchers
        on
            trans._connection = vouchers.connection
            and upper(trans.dataareaid) = vouchers.company
            and trans.voucher = vouchers.voucher
    where {{ landed_since_last_build() }}
),

-- A voucher belongs to the first of its payments, and lines of journals count while it has no transaction: what comes to a
-- voucher, or leaves it, touches all that it has.
beside as (
    {% for stream in ['custtrans', 'customerpaymentjournallines'] -%}
    {% set company = 'dataareaid' if stream == 'custtrans' else "coalesce(nullif(trim(came.company), ''), came.dataareaid)" -%}
    {% for model, document in [
        ('base_dynamics_finance__custtrans', "'T' || same.id"), ('base_dynamics_finance__paymentlines', 'same.document_id')
    ] -%}
    select
        came._connection as connection,
        {{ document }} as document_id
    from {{ source(sources, 'dynamics_finance__' ~ stream) }} as came
    inner join {{ ref(model) }} as same
        on
            came._connection = same.connection
            and upper({{ company }}) = same.company
            and came.voucher = same.voucher
    where {{ landed_since_last_build() }}
    {% if not loop.last %}union{% endif %}
    {% endfor -%}
    {% if not loop.last %}union{% endif %}
    {% endfor -%}
),

entries as (
    select
        _connection as connection,
        cast(sourcekey as {{ text }}) as entry_id
    from {{ source(sources, 'dynamics_finance__generaljournalentry') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        cast(generaljournalentry as {{ text }})
    from {{ source(sources, 'dynamics_finance__generaljournalaccountentry') }}
    where {{ landed_since_last_build() }}
),

posted as (
    select
        entries.connection,
        coalesce(vouchers.document_id, 'G' || entries.entry_id) as document_id
    from entries
    left join {{ ref('base_dynamics_finance__generaljournalentry') }} as entry
        on entries.connection = entry.connection and entries.entry_id = entry.id
    left join vouchers
        on
            entry.connection = vouchers.connection
            and entry.company = vouchers.company
            and entry.voucher = vouchers.voucher
    union
    -- A voucher that belonged to nothing may belong to an invoice now.
    select
        entry.connection,
        'G' || entry.id
    from landed
    inner join vouchers on landed.connection = vouchers.connection and landed.document_id = vouchers.document_id
    inner join {{ ref('base_dynamics_finance__generaljournalentry') }} as entry
        on
            vouchers.connection = entry.connection
            and vouchers.company = entry.company
            and vouchers.voucher = entry.voucher
),

meaning_changed as (
    select distinct connection
    from {{ references }}
    where superseded_run > {{ var('previous_run_id') | int }} and superseded_run < {{ open_run() }}
),

touched as (
    select
        connection,
        document_id
    from landed
    where document_id is not null
    union
    select
        connection,
        document_id
    from settled
    union
    select
        connection,
        document_id
    from beside
    union
    select
        connection,
        document_id
    from posted
    union
    select
        landed.connection,
        invoice.reversed_id
    from landed
    inner join {{ ref('base_dynamics_finance__custinvoicejour') }} as invoice
        on landed.connection = invoice.connection and landed.document_id = invoice.document_id
    where invoice.reversed_id is not null
    union
    select
        everything.connection,
        everything.document_id
    from everything
    inner join meaning_changed on everything.connection = meaning_changed.connection
)

select
    connection,
    document_id
from touched
{% for namer, column in [
    ('stg_dynamics_finance__document_links', 'from_id'), ('stg_dynamics_finance__settlements', 'invoice_id')
] -%}
union
select
    namer.connection,
    namer.document_id
from touched
inner join {{ left_behind(namer) }} as namer
    on touched.connection = namer.connection and touched.document_id = namer.{{ column }}
{% endfor -%}
{%- else %}

select
    connection,
    document_id
from everything
-- so that both kinds of build have the same graph, depends on: {{ references }},
-- {{ ref('base_dynamics_finance__custtrans') }}, {{ ref('base_dynamics_finance__paymentlines') }}
{%- endif %}
