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

union all

select
    item._connection as connection,
    item._key as record_key,
    {{ sap_number('item.vbeln') }} as document_id,
    {{ sap_number('item.posnr') }} as line_id,
    {{ sap_number('item.matnr') }} as product_id,
    {{ sap_text('item.vrkme') }} as unit,
    {{ sap_text('item.werks') }} as plant,
    {{ sap_number('item.aubel') }} as order_id,
    {{ sap_number('item.aupos') }} as order_line_id,
    {{ sap_number('item.vgbel') }} as source_id,
    {{ sap_number('item.vgpos') }} as source_line_id,
    {{ sap_text('item.vgtyp') }} as source_category_code,
    item.fkimg as quantity,
    {{ sap_amount('item.netwr', 'decimals.currdec') }} as net_amount,
    {{ sap_amount('item.mwsbp', 'decimals.currdec') }} as tax_amount,
    item._modified_at as modified_at,
    item._batch_id as batch_id
from {{ source('sap', 'sap_tables__vbrp') }} as item
left join {{ source('sap', 'sap_tables__vbrk') }} as header
    on item._connection = header._connection and item.vbeln = header.vbeln
    and header._superseded_batch is null and not header._is_deleted
left join {{ source('sap', 'sap_tables__tcurx') }} as decimals
    on item._connection = decimals._connection and header.waerk = decimals.currkey
    and decimals._superseded_batch is null and not decimals._is_deleted
where item._superseded_batch is null and not item._is_deleted
