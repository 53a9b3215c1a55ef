select
    _connection as connection,
    _key as record_key,
    accountid as id,
    name,
    accountnumber as account_number,
    parentaccountid as parent_id,
    masterid as master_id,
    address1_line1 as street,
    address1_city as city,
    address1_stateorprovince as region,
    address1_postalcode as postal_code,
    address1_country as country,
    emailaddress1 as email,
    telephone1 as phone,
    websiteurl as website,
    erp_customer_id,
    tax_id,
    coalesce(merged, false) as is_merged,
    coalesce(statecode, 0) = 0 as is_active,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_sales', 'dynamics_sales__account') }}
where _superseded_batch is null and not _is_deleted
