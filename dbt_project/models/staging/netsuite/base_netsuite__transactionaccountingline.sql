select
    _connection as connection,
    _key as record_key,
    accountingbook,
    transaction,
    transactionline,
    account,
    exchangerate,
    amount,
    debit,
    credit,
    netamount,
    amountpaid,
    amountunpaid,
    posting,
    lastmodifieddate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('netsuite', 'netsuite__transactionaccountingline') }}
where _superseded_batch is null and not _is_deleted
