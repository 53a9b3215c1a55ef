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
