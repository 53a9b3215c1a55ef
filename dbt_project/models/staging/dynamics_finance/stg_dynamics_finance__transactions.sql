{# Transactions of customers with the document that each belongs to: that of its voucher. #}
{{ config(
    materialized='table', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'transaction_id']}, {'columns': ['connection', 'document_id']}]
) }}

select
    trans.connection,
    trans.id as transaction_id,
    trans.amount,
    trans.currency_code,
    vouchers.document_id
from {{ ref('base_dynamics_finance__custtrans') }} as trans
inner join {{ ref('stg_dynamics_finance__vouchers') }} as vouchers
    on
        trans.connection = vouchers.connection
        and trans.company = vouchers.company
        and trans.voucher = vouchers.voucher
