{# Headers of invoices and credit memos in one form, whether they came over REST or in file extracts. #}
select
    connection,
    record_key,
    transactionnumber,
    businessunit,
    legalentityidentifier,
    transactiontype,
    invoicecurrencycode as currency_code,
    conversionratetype,
    billtocustomernumber,
    purchaseorder,
    invoicestatus as status_code,
    'receivablesInvoices' as stream,
    enteredamount,
    conversionrate,
    transactiondate,
    accountingdate,
    duedate,
    creationdate,
    modified_at,
    batch_id
from {{ ref('base_oracle__receivablesinvoices') }}
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
-- Extracts know by id what REST says by name, and a header's total and due date stand on its payment schedule. A key that
-- the extract of keys no longer has is a transaction that was deleted.
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
left join {{ ref('base_oracle__transactionheaderkeys') }} as present
    on header.connection = present.connection and header.record_key = present.record_key
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
        min(arpaymentscheduleduedate) as due_date
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
where not coalesce(present.is_deleted, false)
