{#
  What transactions post, by account class. Its own accounting date decides the period: a schedule puts one line's revenue
  into many. Where a pod does not serve it, it is NULL, and the header's holds.
#}
select
    connection,
    customertransactionid as transaction_id,
    record_key,
    accountclass,
    accountcombination,
    'oracle__receivablesinvoicedistributions' as source_table,
    invoicelinenumber as line_number,
    amount,
    accountedamount,
    accountingdate,
    batch_id
from {{ ref('base_oracle__receivablesinvoicedistributions') }}
union all
select
    connection,
    customertransactionid,
    record_key,
    accountclass,
    accountcombination,
    'oracle__receivablescreditmemodistributions',
    creditmemolinenumber,
    amount,
    accountedamount,
    accountingdate,
    batch_id
from {{ ref('base_oracle__receivablescreditmemodistributions') }}
