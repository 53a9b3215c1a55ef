{#
  Documents of which anything that was landed changed since the last build. Ids of receipts, orders and journals carry a
  prefix, because their keys are counted apart. An invoice names its order by number, and one that came before its order
  is looked at again when the order comes.
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
        {'stream': 'oracle__salesordersfororderhub', 'type': 'type_code', 'prefix': 'ORD-'},
        {'stream': 'oracle__journalbatches', 'type': 'type_code', 'prefix': 'JE-', 'where': 'is_document'}
    ],
    parts=[
        ('oracle__receivablesinvoicelines', 'customertransactionid'),
        ('oracle__receivablesinvoicetaxlines', 'customertransactionid'),
        ('oracle__receivablesinvoicedistributions', 'customertransactionid'),
        ('oracle__receivablescreditmemolines', 'customertransactionid'),
        ('oracle__receivablescreditmemodistributions', 'customertransactionid'),
        ('oracle__standardreceiptapplications', 'standardreceiptid', 'RCT-'),
        ('oracle__standardreceiptapplications', 'referencetransactionid'),
        ('oracle__creditmemoapplications', 'creditmemoid'),
        ('oracle__creditmemoapplications', 'referencetransactionid'),
        ('oracle__transactionheaderkeys', 'racustomertrxcustomertrxid'),
        ('oracle__transactionline', 'racustomertrxlinecustomertrxid'),
        ('oracle__transactiondistribution', 'racusttrxlinegldistcustomertrxid'),
        ('oracle__paymentschedule', 'arpaymentschedulecustomertrxid'),
        ('oracle__receivableapplication', 'arreceivableapplicationcashreceiptid', 'RCT-'),
        ('oracle__receivableapplication', 'arreceivableapplicationcustomertrxid'),
        ('oracle__receivableapplication', 'arreceivableapplicationappliedcustomertrxid'),
        ('oracle__salesorderlines', 'headerid', 'ORD-'),
        ('oracle__salesordertotals', 'headerid', 'ORD-'),
        ('oracle__journalheaders', 'jebatchid', 'JE-'),
        ('oracle__journallines', 'jebatchid', 'JE-')
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
{%- endif %}
