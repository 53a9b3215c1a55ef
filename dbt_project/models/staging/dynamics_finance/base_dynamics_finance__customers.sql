select
    _connection as connection,
    _key as record_key,
    upper(dataareaid) as company,
    customeraccount as account,
    coalesce(nullif(trim(partynumber), ''), upper(dataareaid) || '|' || customeraccount) as party_number,
    coalesce(
        nullif(trim(organizationname), ''),
        nullif(trim(coalesce(personfirstname, '') || ' ' || coalesce(personlastname, '')), ''),
        namealias
    ) as name,
    coalesce(partytype, '') = 'Person' as is_person,
    coalesce(nullif(trim(taxexemptnumber), ''), nullif(trim(taxregistrationid), '')) as tax_id,
    nullif(trim(primarycontactemail), '') as email,
    nullif(trim(primarycontactphone), '') as phone,
    nullif(trim(addressstreet), '') as street,
    nullif(trim(addresscity), '') as city,
    nullif(trim(addressstate), '') as region,
    nullif(trim(addresszipcode), '') as postal_code,
    coalesce(nullif(trim(addresscountryregionisocode), ''), nullif(trim(addresscountryregionid), '')) as country,
    nullif(trim(crm_account_id), '') as external_id,
    coalesce(onholdstatus, 'No') <> 'All' as is_active,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__customers') }}
where _superseded_batch is null and not _is_deleted
