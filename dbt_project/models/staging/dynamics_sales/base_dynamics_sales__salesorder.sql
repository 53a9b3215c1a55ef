select
    _connection as connection,
    _key as record_key,
    salesorderid as id,
    ordernumber as order_number,
    customerid as customer_id,
    opportunityid as opportunity_id,
    transactioncurrencyid as currency_id,
    statecode as state_code,
    totalamount as total_amount,
    exchangerate as exchange_rate,
    nullif(trim(customer_reference), '') as reference,
    nullif(trim(erp_order_id), '') as erp_order_id,
    submitdate as submitted_date,
    datefulfilled as fulfilled_date,
    createdon as created_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_sales', 'dynamics_sales__salesorder') }}
where _superseded_batch is null and not _is_deleted
