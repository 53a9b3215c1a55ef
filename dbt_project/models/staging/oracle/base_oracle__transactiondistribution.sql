select
    _connection as connection,
    _key as record_key,
    racusttrxlinegldistcusttrxlinegldistid,
    racusttrxlinegldistcustomertrxid,
    racusttrxlinegldistcustomertrxlineid,
    racusttrxlinegldistaccountclass,
    racusttrxlinegldistaccountsetflag,
    racusttrxlinegldistcodecombinationid,
    racusttrxlinegldistamount,
    racusttrxlinegldistacctdamount,
    racusttrxlinegldistgldate,
    racusttrxlinegldistlastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__transactiondistribution') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('transactiondistribution') }}
