select
    _connection as connection,
    _key as record_key,
    {{ sap_number('product') }} as product_id,
    language,
    {{ sap_text('productdescription') }} as name,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_productdescription') }}
where _superseded_batch is null and not _is_deleted
