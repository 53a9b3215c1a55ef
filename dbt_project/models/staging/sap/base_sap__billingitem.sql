select
    _connection as connection,
    _key as record_key,
    {{ sap_number('billingdocument') }} as document_id,
    {{ sap_number('billingdocumentitem') }} as line_id,
    {{ sap_number('material') }} as product_id,
    {{ sap_text('billingquantityunit') }} as unit,
    {{ sap_text('plant') }} as plant,
    {{ sap_number('salesdocument') }} as order_id,
    {{ sap_number('salesdocumentitem') }} as order_line_id,
    {{ sap_number('referencesddocument') }} as source_id,
    {{ sap_number('referencesddocumentitem') }} as source_line_id,
    {{ sap_text('referencesddocumentcategory') }} as source_category_code,
    billingquantity as quantity,
    netamount as net_amount,
    taxamount as tax_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_billingdocumentitem') }}
where _superseded_batch is null and not _is_deleted
