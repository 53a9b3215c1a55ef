{#
  Documents of which anything that was landed changed since the last build: header, items, ledger. An accounting document is
  part of its billing document, a cancellation takes back its original, and who cleared an invoice is looked at with it.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{% set headers = ['base_sap__salesorder', 'base_sap__delivery', 'base_sap__billing'] -%}
{% set parts = [
    ('sap__a_salesorder', sap_number('salesorder')),
    ('sap__a_salesorderitem', sap_number('salesorder')),
    ('sap__a_outbdeliveryheader', sap_number('deliverydocument')),
    ('sap__a_outbdeliveryitem', sap_number('deliverydocument')),
    ('sap__a_billingdocument', sap_number('billingdocument')),
    ('sap__a_billingdocument', sap_number('cancelledbillingdocument')),
    ('sap__a_billingdocumentitem', sap_number('billingdocument')),
    (
        'sap__a_operationalacctgdocitemcube',
        "case when referencedocumenttype = 'VBRK' then " ~ sap_number('originalreferencedocument') ~ ' else '
        ~ sap_ledger_id('companycode', 'accountingdocument', 'fiscalyear') ~ ' end'
    ),
    (
        'sap__a_operationalacctgdocitemcube',
        "case when clearingaccountingdocument <> '' then "
        ~ sap_ledger_id('companycode', 'clearingaccountingdocument', 'clearingdocfiscalyear') ~ ' end'
    ),
    ('sap_tables__vbak', sap_number('vbeln')),
    ('sap_tables__vbap', sap_number('vbeln')),
    ('sap_tables__likp', sap_number('vbeln')),
    ('sap_tables__lips', sap_number('vbeln')),
    ('sap_tables__vbrk', sap_number('vbeln')),
    ('sap_tables__vbrk', sap_number('sfakn')),
    ('sap_tables__vbrp', sap_number('vbeln')),
    (
        'sap_tables__bkpf',
        "case when awtyp = 'VBRK' then " ~ sap_number('awkey') ~ ' else ' ~ sap_ledger_id('bukrs', 'belnr', 'gjahr') ~ ' end'
    ),
    ('sap_tables__bseg', sap_ledger_id('bukrs', 'belnr', 'gjahr')),
    ('sap_tables__bseg', "case when augbl <> '' then " ~ sap_ledger_id('bukrs', 'augbl', 'auggj') ~ ' end'),
    (
        'sap_tables__acdoca',
        "case when awtyp = 'VBRK' then " ~ sap_number('awref') ~ ' else ' ~ sap_ledger_id('rbukrs', 'belnr', 'gjahr') ~ ' end'
    ),
    ('sap_tables__acdoca', "case when augbl <> '' then " ~ sap_ledger_id('rbukrs', 'augbl', 'auggj') ~ ' end'),
    ('sap_tables__vbfa', sap_number('vbeln'))
] -%}
{% set references = ref('stg_sap__references') -%}

with everything as (
    {% for header in headers -%}
    select
        connection,
        document_id
    from {{ ref(header) }}
    union
    {% endfor -%}
    select
        connection,
        coalesce(billing_id, ledger_id) as document_id
    from {{ ref('base_sap__accountingitem') }}
)
{%- if is_partial_build() -%}
,

landed as (
    {% for stream, expression in parts -%}
    select
        _connection as connection,
        {{ expression }} as document_id
    from {{ source('sap', stream) }}
    where {{ landed_since_last_build() }}
    {% if not loop.last %}union{% endif %}
    {% endfor %}
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
        landed.connection,
        billing.cancelled_id as document_id
    from landed
    inner join {{ ref('base_sap__billing') }} as billing
        on landed.connection = billing.connection and landed.document_id = billing.document_id
    where billing.cancelled_id is not null
    union
    select
        item.connection,
        item.billing_id as document_id
    from landed
    inner join {{ ref('base_sap__accountingitem') }} as item
        on landed.connection = item.connection and landed.document_id = item.ledger_id
    where item.billing_id is not null
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
{% for namer, column in [('stg_sap__document_links', 'from_id'), ('stg_sap__settlements', 'invoice_id')] -%}
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
-- depends on: {{ references }}, so that both kinds of build have the same graph
{%- endif %}
