{#
  Documents of which anything that was landed changed since the last build. Ids of receipts, orders and journals carry a
  prefix, because their keys are counted apart. An invoice names its order by number, and one that came before its order
  is looked at again when the order comes. An adjustment says its currency and customer by its transaction.
  Lines of journals in file extracts name their journal alone, not its batch.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{{ documents_touched(
    'oracle',
    headers=[
        {'stream': 'oracle__receivablesinvoices', 'type': 'type_code'},
        {'stream': 'oracle__receivablescreditmemos', 'type': 'type_code'},
        {'stream': 'oracle__transactionheader'},
        {'stream': 'oracle__receiptheader', 'prefix': 'RCT-'},
        {'stream': 'oracle__standardreceipts', 'type': 'type_code', 'prefix': 'RCT-'},
        {'stream': 'oracle__transactionadjustments', 'type': 'type_code', 'prefix': 'ADJ-'},
        {'stream': 'oracle__salesordersfororderhub', 'type': 'type_code', 'prefix': 'ORD-'},
        {'stream': 'oracle__journalbatches', 'type': 'type_code', 'prefix': 'JE-', 'where': 'is_document'},
        {'stream': 'oracle__journalbatch', 'type': 'type_code', 'prefix': 'JE-', 'where': 'is_document'}
    ],
    parts=[
        ('oracle__receivablesinvoicelines', 'customertransactionid'),
        ('oracle__receivablesinvoicetaxlines', 'customertransactionid'),
        ('oracle__receivablesinvoicedistributions', 'customertransactionid'),
        ('oracle__receivablesinvoiceinstallments', 'customertransactionid'),
        ('oracle__receivablescreditmemolines', 'customertransactionid'),
        ('oracle__receivablescreditmemodistributions', 'customertransactionid'),
        ('oracle__standardreceiptapplications', 'standardreceiptid', 'RCT-'),
        ('oracle__standardreceiptapplications', 'referencetransactionid'),
        ('oracle__creditmemoapplications', 'creditmemoid'),
        ('oracle__creditmemoapplications', 'referencetransactionid'),
        ('oracle__transactionadjustments', 'referencetransactionid'),
        ('oracle__transactionline', 'racustomertrxlinecustomertrxid'),
        ('oracle__transactiondistribution', 'racusttrxlinegldistcustomertrxid'),
        ('oracle__paymentschedule', 'arpaymentschedulecustomertrxid'),
        ('oracle__receivableapplication', 'arreceivableapplicationcashreceiptid', 'RCT-'),
        ('oracle__receivableapplication', 'arreceivableapplicationcustomertrxid'),
        ('oracle__receivableapplication', 'arreceivableapplicationappliedcustomertrxid'),
        ('oracle__salesorderlines', 'headerid', 'ORD-'),
        ('oracle__salesordertotals', 'headerid', 'ORD-'),
        ('oracle__journalheaders', 'jebatchid', 'JE-'),
        ('oracle__journallines', 'jebatchid', 'JE-'),
        ('oracle__journalheader', 'gljeheadersjebatchid', 'JE-')
    ],
    namers=[('stg_oracle__document_links', 'from_id'), ('stg_oracle__settlements', 'invoice_id')]
) }}
{%- if is_partial_build() %}
union
select
    link.connection,
    link.document_id
from {{ source('oracle', 'oracle__salesordersfororderhub') }} as landed
inner join {{ left_behind('stg_oracle__document_links') }} as link
    on landed._connection = link.connection and landed.ordernumber = link.from_id
where landed._batch_id > {{ var('previous_batch_id') | int }}
{% for table in ['oracle__receivablesinvoices', 'oracle__transactionheader'] -%}
union
select
    adjustment._connection,
    'ADJ-' || adjustment._key
from {{ source('oracle', table) }} as adjusted
inner join {{ source('oracle', 'oracle__transactionadjustments') }} as adjustment
    on adjusted._connection = adjustment._connection and adjusted._key = adjustment.referencetransactionid
where adjusted._batch_id > {{ var('previous_batch_id') | int }} and adjustment._superseded_batch is null
{% endfor -%}
{% for store, column, prefix in oracle_key_extracts() -%}
union
select
    landed._connection,
    {{ prefixed(prefix, 'landed.' ~ column) }}
from {{ source('oracle', 'oracle__' ~ store ~ 'keys') }} as listed
inner join {{ source('oracle', 'oracle__' ~ store) }} as landed
    on listed._connection = landed._connection and listed._key = landed._key
where
    (
        listed._batch_id > {{ var('previous_batch_id') | int }}
        or listed._superseded_batch > {{ var('previous_batch_id') | int }}
    )
    and landed._superseded_batch is null
    and landed.{{ column }} is not null
{% endfor -%}
union
select
    header._connection,
    'JE-' || header.gljeheadersjebatchid
from (
    select
        _connection,
        jeheaderid
    from {{ source('oracle', 'oracle__journalline') }}
    where {{ landed_since_last_build() }}
    union
    select
        _connection,
        jeheaderid
    from {{ source('oracle', 'oracle__journallinekeys') }}
    where {{ landed_since_last_build() }}
) as line
inner join {{ source('oracle', 'oracle__journalheader') }} as header
    on line._connection = header._connection and line.jeheaderid = header._key
where header._superseded_batch is null
{%- endif %}
