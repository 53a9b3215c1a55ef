select
    _connection as connection,
    _key as record_key,
    company as id,
    companyname as name,
    legalname as legal_name,
    country,
    fiscalyearstartmonth as fiscal_year_start,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__companyinfo') }}
where _superseded_batch is null and not _is_deleted
