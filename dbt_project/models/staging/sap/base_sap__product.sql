select
    _connection as connection,
    _key as record_key,
    {{ sap_number('product') }} as id,
    {{ sap_number('product') }} as product_code,
    {{ sap_text('producttype') }} as product_type,
    {{ sap_text('productgroup') }} as family,
    {{ sap_text('baseunit') }} as unit,
    {{ sap_text('productstandardid') }} as gtin,
    coalesce(ismarkedfordeletion, false) as is_deleted,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_product') }}
where _superseded_batch is null and not _is_deleted
