select
    _connection as connection,
    _key as record_key,
    opportunityproductid as id,
    opportunityid as document_id,
    productid as product_id,
    quantity,
    baseamount as base_amount,
    manualdiscountamount as manual_discount_amount,
    tax as tax_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_sales', 'dynamics_sales__opportunityproduct') }}
where _superseded_batch is null and not _is_deleted
