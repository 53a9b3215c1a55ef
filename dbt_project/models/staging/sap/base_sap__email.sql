select
    _connection as connection,
    _key as record_key,
    {{ sap_number('addressid') }} as address_id,
    ordinalnumber as line_id,
    {{ sap_text('emailaddress') }} as email,
    coalesce(isdefaultemailaddress, false) as is_default,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_addressemailaddress') }}
where _superseded_batch is null and not _is_deleted
