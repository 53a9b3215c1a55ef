select
    _connection as connection,
    _key as record_key,
    'P' || _key as document_id,
    upper(dataareaid) as journal_company,
    -- A journal of one company may hold payments to another, whose books have them.
    upper(coalesce(nullif(trim(company), ''), dataareaid)) as company,
    journalbatchnumber as journal_number,
    nullif(trim(voucher), '') as voucher,
    accounttype as account_type,
    accountdisplayvalue as account,
    currencycode as currency_code,
    coalesce(nullif(trim(paymentreference), ''), nullif(trim(markedinvoice), '')) as reference,
    exchangerate as exchange_rate,
    coalesce(creditamount, 0) - coalesce(debitamount, 0) as amount,
    transactiondate as document_date,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__customerpaymentjournallines') }}
where _superseded_batch is null and not _is_deleted
