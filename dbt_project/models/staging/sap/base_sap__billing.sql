select
    _connection as connection,
    {{ sap_number('billingdocument') }} as record_key,
    {{ sap_number('billingdocument') }} as document_id,
    {{ sap_text('sddocumentcategory') }} as category_code,
    billingdocumenttype as billing_type,
    salesorganization as sales_organisation,
    companycode as company_code,
    {{ sap_number('soldtoparty') }} as customer_id,
    {{ sap_number('payerparty') }} as payer_id,
    {{ sap_text('transactioncurrency') }} as currency_code,
    {{ sap_text('purchaseorderbycustomer') }} as reference,
    {{ sap_text('accountingtransferstatus') }} as transfer_status,
    {{ sap_number('cancelledbillingdocument') }} as cancelled_id,
    absltaccountingexchangerate as exchange_rate,
    totalnetamount as net_amount,
    taxamount as tax_amount,
    totalgrossamount as gross_amount,
    coalesce(acctgexchangerateisindrctqtan, false) as is_indirect_rate,
    coalesce(billingdocumentiscancelled, false) as is_cancelled,
    billingdocumentdate as document_date,
    creationdate as created_date,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_billingdocument') }}
where _superseded_batch is null and not _is_deleted

union all

select
    header._connection as connection,
    {{ sap_number('header.vbeln') }} as record_key,
    {{ sap_number('header.vbeln') }} as document_id,
    {{ sap_text('header.vbtyp') }} as category_code,
    header.fkart as billing_type,
    header.vkorg as sales_organisation,
    header.bukrs as company_code,
    {{ sap_number('header.kunag') }} as customer_id,
    {{ sap_number('header.kunrg') }} as payer_id,
    {{ sap_text('header.waerk') }} as currency_code,
    {{ sap_text('header.bstnk_vf') }} as reference,
    {{ sap_text('header.rfbsk') }} as transfer_status,
    {{ sap_number('header.sfakn') }} as cancelled_id,
    abs(header.kurrf) as exchange_rate,
    {{ sap_amount('header.netwr', 'decimals.currdec') }} as net_amount,
    {{ sap_amount('header.mwsbk', 'decimals.currdec') }} as tax_amount,
    nullif({{ sap_amount('header.netwr', 'decimals.currdec') }}, 0) + {{ sap_amount('header.mwsbk', 'decimals.currdec') }} as gross_amount,
    coalesce(header.kurrf < 0, false) as is_indirect_rate,
    coalesce(header.fksto = 'X', false) as is_cancelled,
    header.fkdat as document_date,
    header.erdat as created_date,
    header._modified_at as modified_at,
    header._batch_id as batch_id
from {{ source('sap', 'sap_tables__vbrk') }} as header
left join {{ source('sap', 'sap_tables__tcurx') }} as decimals
    on header._connection = decimals._connection and header.waerk = decimals.currkey
    and decimals._superseded_batch is null and not decimals._is_deleted
where header._superseded_batch is null and not header._is_deleted
