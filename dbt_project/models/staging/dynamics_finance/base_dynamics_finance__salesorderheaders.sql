select
    _connection as connection,
    _key as record_key,
    upper(dataareaid) as company,
    lower(dataareaid) || '|' || salesordernumber as document_id,
    salesordernumber as order_number,
    coalesce(nullif(trim(invoicecustomeraccountnumber), ''), orderingcustomeraccountnumber) as account,
    currencycode as currency_code,
    salesorderstatus as status_code,
    nullif(trim(customersorderreference), '') as reference,
    nullif(trim(crm_order_id), '') as external_id,
    coalesce(is_billed_by_subscription, '') = 'Yes' as has_billing_schedule,
    case when aretotalscalculated = 'Yes' then ordertotaltaxamount end as tax_amount,
    cast(ordercreationdatetime as date) as document_date,
    ordercreationdatetime as created_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__salesorderheaders') }}
where _superseded_batch is null and not _is_deleted
