select
    _connection as connection,
    _key as record_key,
    racustomertrxlinecustomertrxlineid,
    racustomertrxlinecustomertrxid,
    racustomertrxlinelinetype,
    racustomertrxlineinventoryitemid,
    racustomertrxlineuomcode,
    racustomertrxlinesalesorder,
    racustomertrxlineaccountingruleid,
    racustomertrxlinepreviouscustomertrxid,
    racustomertrxlinelinenumber,
    racustomertrxlineextendedamount,
    racustomertrxlinerevenueamount,
    racustomertrxlinequantityinvoiced,
    racustomertrxlinequantitycredited,
    racustomertrxlinelastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__transactionline') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('transactionline') }}
