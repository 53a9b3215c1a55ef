select
    _connection as connection,
    _key as record_key,
    installmentid,
    customertransactionid,
    installmentstatus,
    installmentsequencenumber,
    originalamount,
    installmentbalancedue,
    accountedbalancedue,
    amountpaid,
    installmentamountadjusted,
    installmentamountcredited,
    disputeamount,
    installmentduedate,
    disputedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__receivablesinvoiceinstallments') }}
where _superseded_batch is null and not _is_deleted
