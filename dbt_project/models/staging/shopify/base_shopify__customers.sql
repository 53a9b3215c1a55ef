select
    _connection as connection,
    _key as record_key,
    id,
    display_name,
    email,
    phone,
    state,
    nullif(trim(company), '') as company,
    street,
    city,
    region,
    postal_code,
    country,
    nullif(trim(erp_customer_id), '') as erp_customer_id,
    nullif(trim(tax_id), '') as tax_id,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('shopify', 'shopify__customers') }}
where _superseded_batch is null and not _is_deleted
