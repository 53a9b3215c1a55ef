select
    _connection as connection,
    _key as record_key,
    racustomertrxcustomertrxid,
    racustomertrxtrxnumber,
    racustomertrxcusttrxtypeseqid,
    racustomertrxbilltocustomerid,
    racustomertrxinvoicecurrencycode,
    racustomertrxcompleteflag,
    racustomertrxstatustrx,
    racustomertrxorgid,
    racustomertrxlegalentityid,
    racustomertrxpurchaseorder,
    racustomertrxexchangerate,
    racustomertrxtrxdate,
    racustomertrxcreationdate,
    racustomertrxlastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__transactionheader') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('transactionheader') }}
