select
    _connection as connection,
    _key as record_key,
    id,
    coalesce(nullif(trim(companyname), ''), displayname) as name,
    displayname as display_name,
    nullif(trim(companyname), '') is null as is_person,
    parent,
    nullif(trim(tax_id), '') as tax_id,
    nullif(trim(external_id), '') as external_id,
    nullif(trim(email), '') as email,
    nullif(trim(phone), '') as phone,
    nullif(trim(web), '') as web,
    nullif(trim(street), '') as street,
    nullif(trim(city), '') as city,
    nullif(trim(region), '') as region,
    nullif(trim(postal_code), '') as postal_code,
    nullif(trim(country), '') as country,
    coalesce(active, true) as is_active,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__customer') }}
where _superseded_batch is null and not _is_deleted
