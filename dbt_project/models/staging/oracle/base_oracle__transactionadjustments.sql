select
    _connection as connection,
    _key as record_key,
    adjustmentid,
    accountid,
    adjustmentnumber,
    adjustmentreason,
    adjustmenttype,
    'Adjustment' as type_code,
    referencetransactionid,
    adjustmentamount,
    accountingdate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__transactionadjustments') }}
where _superseded_batch is null and not _is_deleted
