{#
  Deposits at the bank (transactions of type Deposit; CustDep is a customer's prepayment): what came, and the fees that were
  taken off on the way.
#}
with fees as (
    {{ deposit_fees('stg_netsuite__bank_deposit_lines') }}
),

deposits as (
    select
        document.document_key,
        document.connection,
        document.document_id as deposit_id,
        document.document_number as deposit_number,
        document.legal_entity_id,
        coalesce(document.document_number, '') || ' ' || coalesce(document.reference, '') || ' '
        || coalesce(document.external_id, '') || ' ' || coalesce(header.memo, '')
            as reference,
        document.source_url,
        document.currency_code,
        document.header_total_amount as deposit_amount,
        {{ deposit_gross_and_fee('document.connection', 'document.header_total_amount') }},
        document.is_voided,
        document.document_date as deposit_date
    from {{ ref('stg_netsuite__documents') }} as document
    left join {{ ref('base_netsuite__transaction') }} as header
        on document.connection = header.connection and document.document_id = header.record_key
    left join fees on document.connection = fees.connection and document.document_id = fees.deposit_id
    where document.document_type = 'bank_deposit'
)

{{ select_contract('bank_deposits', 'deposits') }}
