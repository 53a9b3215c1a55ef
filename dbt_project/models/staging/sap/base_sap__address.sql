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

union all

select
    customer._connection as connection,
    customer._key as record_key,
    {{ sap_number('customer.kunnr') }} as partner_id,
    'KNA1' as id,
    {{ sap_text('customer.stras') }} as street,
    cast(null as {{ dbt.type_string() }}) as house_number,
    {{ sap_text('customer.ort01') }} as city,
    {{ sap_text('customer.pstlz') }} as postal_code,
    {{ sap_text('customer.regio') }} as region,
    {{ sap_text('customer.land1') }} as country,
    cast(null as timestamp with time zone) as valid_from,
    cast(null as timestamp with time zone) as valid_until,
    customer._modified_at as modified_at,
    customer._batch_id as batch_id
from {{ source('sap', 'sap_tables__kna1') }} as customer
where customer._superseded_batch is null and not customer._is_deleted
