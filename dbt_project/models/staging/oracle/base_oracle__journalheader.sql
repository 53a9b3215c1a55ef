select
    _connection as connection,
    _key as record_key,
    jeheaderid,
    gljeheadersjebatchid,
    gljeheadersname,
    gljeheadersledgerid,
    gljeheaderscurrencycode,
    gljeheadersperiodname,
    gljeheadersjecategory,
    gljeheadersstatus,
    gljeheaderscurrencyconversionrate,
    coalesce(gljeheadersactualflag, 'A') as gljeheadersactualflag,
    gljeheadersdefaulteffectivedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__journalheader') }} as landed
where _superseded_batch is null and not _is_deleted and {{ oracle_is_there('journalheader') }}
