select
    _connection as connection,
    _key as record_key,
    customertransactionid,
    customertransactionlineid,
    taxratecode,
    taxrate,
    taxamount,
    taxableamount,
    creationdate,
    lastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__receivablesinvoicetaxlines') }}
where _superseded_batch is null and not _is_deleted
