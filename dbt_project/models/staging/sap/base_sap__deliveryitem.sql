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

union all

select
    item._connection as connection,
    item._key as record_key,
    {{ sap_number('item.vbeln') }} as document_id,
    {{ sap_number('item.posnr') }} as line_id,
    {{ sap_number('item.matnr') }} as product_id,
    {{ sap_text('item.werks') }} as plant,
    {{ sap_text('item.vrkme') }} as unit,
    {{ sap_number('item.vgbel') }} as source_id,
    {{ sap_number('item.vgpos') }} as source_line_id,
    {{ sap_text('item.vgtyp') }} as source_category_code,
    item.lfimg as quantity,
    item._modified_at as modified_at,
    item._batch_id as batch_id
from {{ source('sap', 'sap_tables__lips') }} as item
where item._superseded_batch is null and not item._is_deleted
