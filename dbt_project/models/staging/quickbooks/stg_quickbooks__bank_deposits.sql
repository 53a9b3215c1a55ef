{#
  Deposits at the bank: what came, and the fees that were taken off on the way. A company without currencies keeps its own.
#}
with fees as (
    {{ deposit_fees('stg_quickbooks__bank_deposit_lines') }}
),

homes as (
    select
        connection,
        min(home_currency) as home_currency
    from {{ ref('base_quickbooks__preferences') }}
    group by connection
),

deposits as (
    select
        {{ document_key('deposit.connection', "'journal'", 'deposit.document_id') }} as document_key,
        deposit.connection,
        deposit.document_id as deposit_id,
        coalesce(deposit.document_number, deposit.id) as deposit_number,
        {{ legal_entity('deposit.connection', 'cast(null as ' ~ dbt.type_string() ~ ')') }} as legal_entity_id,
        coalesce(deposit.document_number, '') || ' ' || coalesce(deposit.memo, '') as reference,
        {{ source_url('deposit.connection', 'Deposit', 'deposit.id') }} as source_url,
        coalesce(deposit.currency_code, homes.home_currency) as currency_code,
        deposit.total_amount as deposit_amount,
        {{ deposit_gross_and_fee('deposit.connection', 'deposit.total_amount') }},
        deposit.is_voided,
        deposit.document_date as deposit_date
    from {{ ref('base_quickbooks__deposit') }} as deposit
    left join fees on deposit.connection = fees.connection and deposit.document_id = fees.deposit_id
    left join homes on deposit.connection = homes.connection
)

{{ select_contract('bank_deposits', 'deposits') }}
