{#
  What was added to or taken off what is owed, by hand, with what only the adjusted transaction says: currency, rate, unit
  and customer. In its own sign: negative takes off. The kind of the account on the other side follows from its type.
#}
select
    adjustment.connection,
    adjustment.record_key,
    'ADJ-' || adjustment.record_key as document_id,
    adjustment.referencetransactionid as transaction_id,
    adjustment.adjustmentnumber,
    adjustment.adjustmentreason,
    adjustment.adjustmenttype,
    adjustment.type_code,
    coalesce(types.account_kind, 'other') as account_kind,
    adjusted.businessunit,
    adjusted.legalentityidentifier,
    adjusted.billtocustomernumber,
    adjusted.currency_code,
    adjustment.adjustmentamount as amount,
    adjusted.conversionrate,
    adjustment.accountingdate,
    adjustment.modified_at,
    adjustment.batch_id
from {{ ref('base_oracle__transactionadjustments') }} as adjustment
left join {{ ref('stg_oracle__transactions') }} as adjusted
    on adjustment.connection = adjusted.connection and adjustment.referencetransactionid = adjusted.record_key
left join {{ ref('map_oracle_adjustment_type') }} as types on adjustment.adjustmenttype = types.type_code
