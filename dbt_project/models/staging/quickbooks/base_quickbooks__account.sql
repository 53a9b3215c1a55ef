select
    _connection as connection,
    _key as record_key,
    id,
    coalesce(nullif(trim(acctnum), ''), name) as account_code,
    name,
    accounttype as account_type,
    accountsubtype as account_subtype,
    coalesce(active, true) as is_active,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__account') }}
where _superseded_batch is null and not _is_deleted
