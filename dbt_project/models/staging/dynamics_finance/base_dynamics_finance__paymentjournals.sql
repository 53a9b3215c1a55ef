select
    _connection as connection,
    _key as record_key,
    upper(dataareaid) as company,
    journalbatchnumber as journal_number,
    coalesce(isposted, 'No') = 'Yes' as is_posted,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__customerpaymentjournalheaders') }}
where _superseded_batch is null and not _is_deleted
