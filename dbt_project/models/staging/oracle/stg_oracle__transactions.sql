{#
  Headers of invoices and credit memos in one form, whether they came over REST or in file extracts. An invoice in
  instalments is due when the first of them is that is still open; once nothing is, when the last one was.
#}
with installments as (
    select
        connection,
        customertransactionid,
        coalesce(min(case when installmentbalancedue <> 0 then installmentduedate end), max(installmentduedate)) as due_date
    from {{ ref('base_oracle__receivablesinvoiceinstallments') }}
    group by connection, customertransactionid
)

select
    invoice.connection,
    invoice.record_key,
    invoice.transactionnumber,
    invoice.businessunit,
    invoice.legalentityidentifier,
    invoice.transactiontype,
    invoice.invoicecurrencycode as currency_code,
    invoice.conversionratetype,
    invoice.billtocustomernumber,
    invoice.purchaseorder,
    invoice.invoicestatus as status_code,
    'receivablesInvoices' as stream,
    invoice.enteredamount,
    invoice.conversionrate,
    invoice.transactiondate,
    invoice.accountingdate,
    coalesce(installments.due_date, invoice.duedate) as duedate,
    invoice.creationdate,
    invoice.modified_at,
    invoice.batch_id
from {{ ref('base_oracle__receivablesinvoices') }} as invoice
left join installments
    on invoice.connection = installments.connection and invoice.record_key = installments.customertransactionid
union all
select
    connection,
    record_key,
    transactionnumber,
    businessunit,
    legalentityidentifier,
    transactiontype,
    creditmemocurrency as currency_code,
    conversionratetype,
    billtocustomernumber,
    purchaseorder,
    creditmemostatus as status_code,
    'receivablesCreditMemos' as stream,
    enteredamount,
    conversionrate,
    transactiondate,
    accountingdate,
    cast(null as date) as duedate,
    creationdate,
    modified_at,
    batch_id
from {{ ref('base_oracle__receivablescreditmemos') }}
union all
-- Extracts know by id what REST says by name, and a header's total and due date stand on its payment schedule.
select
    header.connection,
    header.record_key,
    header.racustomertrxtrxnumber,
    unit.businessunitname,
    entity.legalentityidentifier,
    types.racusttrxtypename,
    header.racustomertrxinvoicecurrencycode,
    cast(null as {{ dbt.type_string() }}),
    account.accountnumber,
    header.racustomertrxpurchaseorder,
    case
        when header.racustomertrxcompleteflag <> 'Y' then 'Incomplete'
        when header.racustomertrxstatustrx = 'VD' then 'Void'
        else 'Complete'
    end,
    'TransactionHeader',
    coalesce(schedule.amount, line_sum.amount),
    header.racustomertrxexchangerate,
    header.racustomertrxtrxdate,
    coalesce(posting.gl_date, header.racustomertrxtrxdate),
    schedule.due_date,
    header.racustomertrxcreationdate,
    header.modified_at,
    header.batch_id
from {{ ref('base_oracle__transactionheader') }} as header
left join {{ ref('base_oracle__transactiontype') }} as types
    on header.connection = types.connection and header.racustomertrxcusttrxtypeseqid = types.record_key
left join {{ ref('base_oracle__finbusinessunitslov') }} as unit
    on header.connection = unit.connection and header.racustomertrxorgid = unit.record_key
left join {{ ref('base_oracle__legalentitieslov') }} as entity
    on header.connection = entity.connection and header.racustomertrxlegalentityid = entity.record_key
left join {{ ref('base_oracle__customeraccountslov') }} as account
    on header.connection = account.connection and header.racustomertrxbilltocustomerid = account.record_key
left join (
    select
        connection,
        arpaymentschedulecustomertrxid as transaction_id,
        sum(arpaymentscheduleamountdueoriginal) as amount,
        coalesce(
            min(case when arpaymentscheduleamountdueremaining <> 0 then arpaymentscheduleduedate end),
            max(arpaymentscheduleduedate)
        ) as due_date
    from {{ ref('base_oracle__paymentschedule') }}
    group by connection, arpaymentschedulecustomertrxid
) as schedule on header.connection = schedule.connection and header.record_key = schedule.transaction_id
left join (
    select
        connection,
        racustomertrxlinecustomertrxid as transaction_id,
        sum(racustomertrxlineextendedamount) as amount
    from {{ ref('base_oracle__transactionline') }}
    group by connection, racustomertrxlinecustomertrxid
) as line_sum on header.connection = line_sum.connection and header.record_key = line_sum.transaction_id
left join (
    select
        connection,
        racusttrxlinegldistcustomertrxid as transaction_id,
        min(racusttrxlinegldistgldate) as gl_date
    from {{ ref('base_oracle__transactiondistribution') }}
    where racusttrxlinegldistaccountclass = 'REC'
    group by connection, racusttrxlinegldistcustomertrxid
) as posting on header.connection = posting.connection and header.record_key = posting.transaction_id
