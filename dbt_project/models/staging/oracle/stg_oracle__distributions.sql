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
from {{ ref('base_oracle__creditmemodistributions') }}
union all
-- Rows of account sets are models of accounting, not accounting.
select
    distribution.connection,
    distribution.racusttrxlinegldistcustomertrxid,
    distribution.record_key,
    distribution.racusttrxlinegldistaccountclass,
    account.codecombinationsegment1 || '.' || account.codecombinationsegment2 || '.' || account.codecombinationsegment3
    || '.' || account.codecombinationsegment4,
    'oracle__transactiondistribution',
    line.racustomertrxlinelinenumber,
    distribution.racusttrxlinegldistamount,
    distribution.racusttrxlinegldistacctdamount,
    distribution.racusttrxlinegldistgldate,
    distribution.batch_id
from {{ ref('base_oracle__transactiondistribution') }} as distribution
left join {{ ref('base_oracle__codecombination') }} as account
    on
        distribution.connection = account.connection
        and distribution.racusttrxlinegldistcodecombinationid = account.record_key
left join {{ ref('base_oracle__transactionline') }} as line
    on
        distribution.connection = line.connection
        and distribution.racusttrxlinegldistcustomertrxlineid = line.record_key
where coalesce(distribution.racusttrxlinegldistaccountsetflag, 'N') <> 'Y'
