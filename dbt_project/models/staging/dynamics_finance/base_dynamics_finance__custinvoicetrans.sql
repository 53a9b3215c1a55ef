select
    _connection as connection,
    _key as record_key,
    upper(dataareaid) as company,
    invoiceid as invoice_number,
    invoicedate as document_date,
    cast(sourcekey as {{ dbt.type_string() }}) as line_id,
    itemid as product_id,
    salesunit as unit,
    coalesce(nullif(trim(origsalesid), ''), nullif(trim(salesid), '')) as order_number,
    nullif(trim(inventtransid), '') as order_line_id,
    qty as quantity,
    lineamount as net_amount,
    lineamountmst as functional_amount,
    lineamounttax as tax_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__custinvoicetrans') }}
where _superseded_batch is null and not _is_deleted
