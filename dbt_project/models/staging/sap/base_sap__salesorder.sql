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

union all

select
    header._connection as connection,
    {{ sap_number('header.vbeln') }} as record_key,
    {{ sap_number('header.vbeln') }} as document_id,
    {{ sap_text('header.vbtyp') }} as category_code,
    header.auart as order_type,
    header.vkorg as sales_organisation,
    {{ sap_text('header.bukrs_vf') }} as company_code,
    {{ sap_number('header.kunnr') }} as customer_id,
    {{ sap_text('header.waerk') }} as currency_code,
    {{ sap_text('header.bstnk') }} as reference,
    {{ sap_text('header.ext_ref_doc_id') }} as external_id,
    {{ sap_text('header.gbstk') }} as process_status,
    cast(null as {{ dbt.type_string() }}) as rejection_status,
    cast(null as numeric) as exchange_rate,
    {{ sap_amount('header.netwr', 'decimals.currdec') }} as net_amount,
    header.audat as document_date,
    header.erdat as created_date,
    header._modified_at as modified_at,
    header._batch_id as batch_id
from {{ source('sap', 'sap_tables__vbak') }} as header
left join {{ source('sap', 'sap_tables__tcurx') }} as decimals
    on header._connection = decimals._connection and header.waerk = decimals.currkey
    and decimals._superseded_batch is null and not decimals._is_deleted
where header._superseded_batch is null and not header._is_deleted
