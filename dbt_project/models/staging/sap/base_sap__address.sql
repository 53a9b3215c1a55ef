select
    _connection as connection,
    _key as record_key,
    {{ sap_number('businesspartner') }} as partner_id,
    {{ sap_number('addressid') }} as id,
    {{ sap_text('streetname') }} as street,
    {{ sap_text('housenumber') }} as house_number,
    {{ sap_text('cityname') }} as city,
    {{ sap_text('postalcode') }} as postal_code,
    {{ sap_text('region') }} as region,
    {{ sap_text('country') }} as country,
    validitystartdate as valid_from,
    validityenddate as valid_until,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_businesspartneraddress') }}
where _superseded_batch is null and not _is_deleted
