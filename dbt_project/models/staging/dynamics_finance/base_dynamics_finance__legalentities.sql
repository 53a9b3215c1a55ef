select
    _connection as connection,
    _key as record_key,
    upper(legalentityid) as id,
    name,
    companyname as legal_name,
    nullif(trim(partynumber), '') as party_number,
    coalesce(nullif(trim(addresscountryregionisocode), ''), nullif(trim(addresscountryregionid), '')) as country,
    coalesce(useforfinancialeliminationprocess, '') = 'Yes' as is_elimination,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__legalentities') }}
where _superseded_batch is null and not _is_deleted
