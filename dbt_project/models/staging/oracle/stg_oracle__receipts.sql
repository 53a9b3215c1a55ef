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
