{# Receipts in one form. A reversal keeps the record: its state says so, whatever its status was. #}
select
    connection,
    record_key,
    receiptnumber,
    businessunit,
    legalentityidentifier,
    currency as currency_code,
    customeraccountnumber,
    type_code,
    case when state = 'Reversed' then 'Reversed' else status end as status_code,
    amount,
    accountedamount,
    conversionrate,
    receiptdate,
    accountingdate,
    creationdate,
    modified_at,
    batch_id
from {{ ref('base_oracle__standardreceipts') }}
union all
select
    receipt.connection,
    receipt.record_key,
    receipt.arcashreceiptreceiptnumber,
    unit.businessunitname,
    entity.legalentityidentifier,
    receipt.arcashreceiptcurrencycode,
    account.accountnumber,
    'Receipt',
    receipt.arcashreceiptstatus,
    receipt.arcashreceiptamount,
    cast(null as numeric),
    receipt.arcashreceiptexchangerate,
    coalesce(receipt.arcashreceiptreceiptdate, receipt.arcashreceiptdepositdate),
    receipt.arcashreceiptdepositdate,
    receipt.arcashreceiptcreationdate,
    receipt.modified_at,
    receipt.batch_id
from {{ ref('base_oracle__receiptheader') }} as receipt
left join {{ ref('base_oracle__finbusinessunitslov') }} as unit
    on receipt.connection = unit.connection and receipt.arcashreceiptorgid = unit.record_key
left join {{ ref('base_oracle__legalentitieslov') }} as entity
    on receipt.connection = entity.connection and receipt.arcashreceiptlegalentityid = entity.record_key
left join {{ ref('base_oracle__customeraccountslov') }} as account
    on receipt.connection = account.connection and receipt.arcashreceiptpayfromcustomer = account.record_key
