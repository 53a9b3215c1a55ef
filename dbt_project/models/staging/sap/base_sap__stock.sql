select
    _connection as connection,
    _key as record_key,
    {{ sap_number('material') }} as product_id,
    {{ sap_text('plant') }} as plant,
    {{ sap_text('storagelocation') }} as storage_location,
    {{ sap_text('inventorystocktype') }} as stock_type,
    {{ sap_text('inventoryspecialstocktype') }} as special_stock_type,
    {{ sap_text('materialbaseunit') }} as unit,
    matlwrhsstkqtyinmatlbaseunit as quantity,
    _landed_at as landed_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_matlstkinacctmod') }}
where _superseded_batch is null and not _is_deleted
