select
    _connection as connection,
    _key as record_key,
    {{ sap_number('salesorder') }} as document_id,
    {{ sap_number('salesorderitem') }} as line_id,
    {{ sap_number('material') }} as product_id,
    {{ sap_text('requestedquantityunit') }} as unit,
    {{ sap_text('productionplant') }} as plant,
    {{ sap_text('salesdocumentrjcnreason') }} as rejection_reason,
    {{ sap_text('salesorderitemcategory') }} as item_category,
    requestedquantity as quantity,
    coalesce(taxamount, 0) as tax_amount,
    netamount as net_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_salesorderitem') }}
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
    {{ sap_text('item.abgru') }} as rejection_reason,
    {{ sap_text('item.pstyv') }} as item_category,
    item.kwmeng as quantity,
    {{ sap_amount('coalesce(item.mwsbp, 0)', 'decimals.currdec') }} as tax_amount,
    {{ sap_amount('item.netwr', 'decimals.currdec') }} as net_amount,
    item._modified_at as modified_at,
    item._batch_id as batch_id
from {{ source('sap', 'sap_tables__vbap') }} as item
left join {{ source('sap', 'sap_tables__tcurx') }} as decimals
    on item._connection = decimals._connection and item.waerk = decimals.currkey
    and decimals._superseded_batch is null and not decimals._is_deleted
where item._superseded_batch is null and not item._is_deleted
