{#
  Which document a voucher of a company belongs to. What a reversal posted belongs to what it reversed. A voucher that no
  invoice has is a transaction of a customer; of several the first payment, else the first. One that has neither is a
  posted line of a payment journal, whose transaction was not landed.
#}
{{ config(
    materialized='table', pre_hook="{{ session_settings() }}", indexes=[{'columns': ['connection', 'company', 'voucher']}]
) }}

with invoices as (
    select
        connection,
        company,
        voucher,
        min(coalesce(reversed_id, document_id)) as document_id
    from {{ ref('base_dynamics_finance__custinvoicejour') }}
    where not is_proforma
    group by connection, company, voucher
),

transactions as (
    select
        connection,
        company,
        voucher,
        'T' || id as document_id,
        row_number() over (
            partition by connection, company, voucher order by case when type_code = 'Payment' then 0 else 1 end, id
        ) as choice
    from {{ ref('base_dynamics_finance__custtrans') }}
),

keyed as (
    select
        connection,
        company,
        voucher,
        min(document_id) as document_id
    from {{ ref('stg_dynamics_finance__payment_lines') }}
    where is_posted and voucher is not null
    group by connection, company, voucher
)

select
    connection,
    company,
    voucher,
    document_id
from invoices

union all

select
    transactions.connection,
    transactions.company,
    transactions.voucher,
    transactions.document_id
from transactions
left join invoices
    on
        transactions.connection = invoices.connection
        and transactions.company = invoices.company
        and transactions.voucher = invoices.voucher
where transactions.choice = 1 and invoices.voucher is null

union all

select
    keyed.connection,
    keyed.company,
    keyed.voucher,
    keyed.document_id
from keyed
left join invoices
    on
        keyed.connection = invoices.connection
        and keyed.company = invoices.company
        and keyed.voucher = invoices.voucher
where invoices.voucher is null
