select
    _connection as connection,
    _key as record_key,
    {{ sap_number('deliverydocument') }} as document_id,
    {{ sap_number('deliverydocumentitem') }} as line_id,
    {{ sap_number('material') }} as product_id,
    {{ sap_text('plant') }} as plant,
    {{ sap_text('deliveryquantityunit') }} as unit,
    {{ sap_number('referencesddocument') }} as source_id,
    {{ sap_number('referencesddocumentitem') }} as source_line_id,
    {{ sap_text('referencesddocumentcategory') }} as source_category_code,
    actualdeliveryquantity as quantity,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_outbdeliveryitem') }}
where _superseded_batch is null and not _is_deleted
