select
    _connection as connection,
    _key as record_key,
    {{ sap_number('salesorder') }} as document_id,
    {{ sap_number('salesorderitem') }} as line_id,
    {{ sap_number('material') }} as product_id,
    {{ sap_text('requestedquantityunit') }} as unit,
    {{ sap_text('productionplant') }} as plant,
    {{ sap_text('salesdocumentrjcnreason') }} as rejection_reason,
    requestedquantity as quantity,
    netamount as net_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_salesorderitem') }}
where _superseded_batch is null and not _is_deleted
