select
    _connection as connection,
    {{ sap_number('salesorder') }} as record_key,
    {{ sap_number('salesorder') }} as document_id,
    'C' as category_code,
    salesordertype as order_type,
    salesorganization as sales_organisation,
    cast(null as {{ dbt.type_string() }}) as company_code,
    {{ sap_number('soldtoparty') }} as customer_id,
    {{ sap_text('transactioncurrency') }} as currency_code,
    {{ sap_text('purchaseorderbycustomer') }} as reference,
    {{ sap_text('externaldocumentid') }} as external_id,
    {{ sap_text('overallsdprocessstatus') }} as process_status,
    {{ sap_text('overallsddocumentrejectionsts') }} as rejection_status,
    accountingexchangerate as exchange_rate,
    totalnetamount as net_amount,
    salesorderdate as document_date,
    creationdate as created_date,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_salesorder') }}
where _superseded_batch is null and not _is_deleted
