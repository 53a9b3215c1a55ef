{#
  What receipts and credit memos were applied to, as it stands: what was unapplied again is not the latest application.
  Ids of receipts are others than those of transactions, so the payer's id carries its prefix.
#}
select
    connection,
    record_key,
    'RCT-' || standardreceiptid as payer_id,
    'receipt' as payer_kind,
    referencetransactionid as transaction_id,
    enteredcurrency as currency_code,
    applicationamount as amount,
    applicationdate,
    batch_id
from {{ ref('base_oracle__standardreceiptapplications') }}
where coalesce(islatestapplication, true) and lower(applicationstatus) = 'applied' and referencetransactionid is not null
union all
select
    connection,
    record_key,
    creditmemoid,
    'credit',
    referencetransactionid,
    enteredcurrency,
    applicationamount,
    applicationdate,
    batch_id
from {{ ref('base_oracle__creditmemoapplications') }}
where coalesce(islatestapplication, true) and lower(applicationstatus) = 'applied' and referencetransactionid is not null
union all
select
    connection,
    record_key,
    case
        when arreceivableapplicationapplicationtype = 'CM' then arreceivableapplicationcustomertrxid
        else 'RCT-' || arreceivableapplicationcashreceiptid
    end,
    case when arreceivableapplicationapplicationtype = 'CM' then 'credit' else 'receipt' end,
    arreceivableapplicationappliedcustomertrxid,
    cast(null as {{ dbt.type_string() }}),
    arreceivableapplicationamountapplied,
    arreceivableapplicationapplydate,
    batch_id
from {{ ref('base_oracle__receivableapplication') }}
where
    coalesce(arreceivableapplicationdisplay, 'Y') = 'Y'
    and arreceivableapplicationstatus = 'APP'
    and arreceivableapplicationappliedcustomertrxid is not null
