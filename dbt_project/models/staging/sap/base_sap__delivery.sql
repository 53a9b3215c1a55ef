select
    _connection as connection,
    {{ sap_number('deliverydocument') }} as record_key,
    {{ sap_number('deliverydocument') }} as document_id,
    {{ sap_text('sddocumentcategory') }} as category_code,
    deliverydocumenttype as delivery_type,
    salesorganization as sales_organisation,
    {{ sap_number('soldtoparty') }} as customer_id,
    {{ sap_text('transactioncurrency') }} as currency_code,
    {{ sap_text('overallgoodsmovementstatus') }} as goods_movement_status,
    documentdate as document_date,
    actualgoodsmovementdate as goods_issue_date,
    creationdate as created_date,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_outbdeliveryheader') }}
where _superseded_batch is null and not _is_deleted

union all

select
    header._connection as connection,
    {{ sap_number('header.vbeln') }} as record_key,
    {{ sap_number('header.vbeln') }} as document_id,
    {{ sap_text('header.vbtyp') }} as category_code,
    header.lfart as delivery_type,
    header.vkorg as sales_organisation,
    {{ sap_number('header.kunag') }} as customer_id,
    {{ sap_text('header.waerk') }} as currency_code,
    case when header.wadat_ist is not null then 'C' else 'A' end as goods_movement_status,
    header.bldat as document_date,
    header.wadat_ist as goods_issue_date,
    header.erdat as created_date,
    header._modified_at as modified_at,
    header._batch_id as batch_id
from {{ source('sap', 'sap_tables__likp') }} as header
where header._superseded_batch is null and not header._is_deleted
