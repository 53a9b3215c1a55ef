select
    _connection as connection,
    _key as record_key,
    upper(dataareaid) as company,
    'F' || cast(invoiceidentifier as {{ dbt.type_string() }}) as document_id,
    cast(invoiceidentifier as {{ dbt.type_string() }}) as id,
    coalesce(nullif(trim(freetextnumber), ''), nullif(trim(externalinvoiceid), '')) as invoice_number,
    invoiceaccount as account,
    currencycode as currency_code,
    nullif(trim(customerreference), '') as reference,
    exchangerate as exchange_rate,
    invoicedate as document_date,
    duedate as due_date,
    coalesce(isposted, 'No') = 'Yes' as is_posted,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__freetextinvoiceheaders') }}
where _superseded_batch is null and not _is_deleted
