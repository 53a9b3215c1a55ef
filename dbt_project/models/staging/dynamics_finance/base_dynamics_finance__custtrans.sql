select
    _connection as connection,
    _key as record_key,
    upper(dataareaid) as company,
    cast(sourcekey as {{ dbt.type_string() }}) as id,
    accountnum as account,
    voucher,
    nullif(trim(invoice), '') as invoice_number,
    transtype as type_code,
    currencycode as currency_code,
    nullif(trim(paymreference), '') as reference,
    coalesce(cancelledpayment, 'No') = 'Yes' as is_cancelled,
    exchrate as exchange_rate,
    amountcur as amount,
    amountmst as functional_amount,
    transdate as document_date,
    duedate as due_date,
    createdon as created_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__custtrans') }}
where _superseded_batch is null and not _is_deleted
