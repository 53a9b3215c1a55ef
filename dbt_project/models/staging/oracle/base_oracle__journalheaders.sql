select
    _connection as connection,
    _key as record_key,
    jeheaderid,
    jebatchid,
    journalname,
    ledgername,
    ledgercurrencycode,
    legalentityname,
    currencycode,
    periodname,
    userjecategoryname,
    description,
    currencyconversionrate,
    defaulteffectivedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__journalheaders') }}
where _superseded_batch is null and not _is_deleted
