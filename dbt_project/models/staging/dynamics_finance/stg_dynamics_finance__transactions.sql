{#
  Transactions of customers with the document that each belongs to: that of its voucher, which is an invoice's or a
  payment's. A payment is a document of its own: a journal may give one voucher to payments of many customers.
#}
{{ config(
    materialized='table', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'transaction_id']}, {'columns': ['connection', 'document_id']}]
) }}

select
    trans.connection,
    trans.id as transaction_id,
    trans.amount,
    trans.currency_code,
    case
        when kind.document_type = 'payment' and vouchers.document_id like 'T%' then 'T' || trans.id
        else vouchers.document_id
    end as document_id
from {{ ref('base_dynamics_finance__custtrans') }} as trans
inner join {{ ref('stg_dynamics_finance__vouchers') }} as vouchers
    on
        trans.connection = vouchers.connection
        and trans.company = vouchers.company
        and trans.voucher = vouchers.voucher
left join {{ ref('map_dynamics_finance_transaction_type') }} as kind on trans.type_code = kind.type_code
