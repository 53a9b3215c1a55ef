select
    _connection as connection,
    _key as record_key,
    companycode as company_code,
    fiscalyear as fiscal_year,
    {{ sap_number('accountingdocument') }} as accounting_number,
    {{ sap_number('accountingdocumentitem') }} as line_id,
    {{ sap_ledger_id('companycode', 'accountingdocument', 'fiscalyear') }} as ledger_id,
    case when referencedocumenttype = 'VBRK' then {{ sap_number('originalreferencedocument') }} end as billing_id,
    accountingdocumenttype as accounting_type,
    financialaccounttype as account_type,
    {{ sap_text('transactiontypedetermination') }} as transaction_key,
    chartofaccounts as chart_of_accounts,
    glaccount as account_code,
    {{ sap_number('customer') }} as customer_id,
    {{ sap_text('partnercompany') }} as partner_company,
    {{ sap_number('material') }} as product_id,
    {{ sap_text('documentreferenceid') }} as reference,
    {{ sap_number('assignmentreference') }} as assignment,
    case
        when invoicereference <> ''
            then {{ sap_ledger_id('companycode', 'invoicereference', 'invoicereferencefiscalyear') }}
    end as invoice_ledger_id,
    {{ sap_number('invoiceitemreference') }} as invoice_line_id,
    case
        when clearingaccountingdocument <> ''
            then {{ sap_ledger_id('companycode', 'clearingaccountingdocument', 'clearingdocfiscalyear') }}
    end as clearing_ledger_id,
    {{ sap_text('companycodecurrency') }} as functional_currency_code,
    {{ sap_text('transactioncurrency') }} as currency_code,
    amountincompanycodecurrency as functional_amount,
    amountintransactioncurrency as amount,
    coalesce(isbalancesheetaccount, false) as is_balance_sheet,
    postingdate as posting_date,
    documentdate as document_date,
    netduedate as due_date,
    clearingdate as cleared_date,
    accountingdocumentcreationdate as created_date,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_operationalacctgdocitemcube') }}
where _superseded_batch is null and not _is_deleted

union all

select
    item._connection as connection,
    item._key as record_key,
    item.bukrs as company_code,
    item.gjahr as fiscal_year,
    {{ sap_number('item.belnr') }} as accounting_number,
    {{ sap_number('item.buzei') }} as line_id,
    {{ sap_ledger_id('item.bukrs', 'item.belnr', 'item.gjahr') }} as ledger_id,
    case when header.awtyp = 'VBRK' then {{ sap_number('header.awkey') }} end as billing_id,
    header.blart as accounting_type,
    item.koart as account_type,
    {{ sap_text('item.ktosl') }} as transaction_key,
    company.ktopl as chart_of_accounts,
    item.hkont as account_code,
    {{ sap_number('item.kunnr') }} as customer_id,
    {{ sap_text('item.vbund') }} as partner_company,
    {{ sap_number('item.matnr') }} as product_id,
    {{ sap_text('header.xblnr') }} as reference,
    {{ sap_number('item.zuonr') }} as assignment,
    case when item.rebzg <> '' then {{ sap_ledger_id('item.bukrs', 'item.rebzg', 'item.rebzj') }} end as invoice_ledger_id,
    {{ sap_number('item.rebzz') }} as invoice_line_id,
    case when item.augbl <> '' then {{ sap_ledger_id('item.bukrs', 'item.augbl', 'item.auggj') }} end as clearing_ledger_id,
    {{ sap_text('header.hwaer') }} as functional_currency_code,
    {{ sap_text('header.waers') }} as currency_code,
    case item.shkzg when 'H' then -1 else 1 end * {{ sap_amount('item.dmbtr', 'base_decimals.currdec') }} as functional_amount,
    case item.shkzg when 'H' then -1 else 1 end * {{ sap_amount('item.wrbtr', 'decimals.currdec') }} as amount,
    coalesce(item.xbilk = 'X', false) as is_balance_sheet,
    header.budat as posting_date,
    header.bldat as document_date,
    item.netdt as due_date,
    item.augdt as cleared_date,
    header.cpudt as created_date,
    item._modified_at as modified_at,
    item._batch_id as batch_id
from {{ source('sap', 'sap_tables__bseg') }} as item
inner join {{ source('sap', 'sap_tables__bkpf') }} as header
    on item._connection = header._connection and item.bukrs = header.bukrs and item.belnr = header.belnr and item.gjahr = header.gjahr
    and header._superseded_batch is null and not header._is_deleted
left join {{ source('sap', 'sap_tables__t001') }} as company
    on item._connection = company._connection and item.bukrs = company.bukrs
    and company._superseded_batch is null and not company._is_deleted
left join {{ source('sap', 'sap_tables__tcurx') }} as decimals
    on item._connection = decimals._connection and header.waers = decimals.currkey
    and decimals._superseded_batch is null and not decimals._is_deleted
left join {{ source('sap', 'sap_tables__tcurx') }} as base_decimals
    on item._connection = base_decimals._connection and header.hwaer = base_decimals.currkey
    and base_decimals._superseded_batch is null and not base_decimals._is_deleted
where
    item._superseded_batch is null and not item._is_deleted and (header.bstat is null or trim(header.bstat) in ('', 'A', 'B'))
    and {{ connection_says('item._connection', 'journal', 'BSEG', default='BSEG') }}

union all

select
    item._connection as connection,
    item._key as record_key,
    item.rbukrs as company_code,
    item.gjahr as fiscal_year,
    {{ sap_number('item.belnr') }} as accounting_number,
    {{ sap_number('item.docln') }} as line_id,
    {{ sap_ledger_id('item.rbukrs', 'item.belnr', 'item.gjahr') }} as ledger_id,
    case when item.awtyp = 'VBRK' then {{ sap_number('item.awref') }} end as billing_id,
    item.blart as accounting_type,
    coalesce({{ sap_text('item.koart') }}, case when item.glaccount_type = 'X' and item.kunnr <> '' then 'D' else 'S' end)
        as account_type,
    {{ sap_text('item.ktosl') }} as transaction_key,
    coalesce({{ sap_text('item.ktopl') }}, company.ktopl) as chart_of_accounts,
    item.racct as account_code,
    {{ sap_number('item.kunnr') }} as customer_id,
    {{ sap_text('item.rassc') }} as partner_company,
    {{ sap_number('item.matnr') }} as product_id,
    {{ sap_text('item.xblnr') }} as reference,
    {{ sap_number('item.zuonr') }} as assignment,
    case when item.rebzg <> '' then {{ sap_ledger_id('item.rbukrs', 'item.rebzg', 'item.rebzj') }} end as invoice_ledger_id,
    {{ sap_number('item.rebzz') }} as invoice_line_id,
    case when item.augbl <> '' then {{ sap_ledger_id('item.rbukrs', 'item.augbl', 'item.auggj') }} end as clearing_ledger_id,
    {{ sap_text('item.rhcur') }} as functional_currency_code,
    {{ sap_text('item.rwcur') }} as currency_code,
    {{ sap_amount('item.hsl', 'base_decimals.currdec') }} as functional_amount,
    {{ sap_amount('item.wsl', 'decimals.currdec') }} as amount,
    coalesce(item.glaccount_type = 'X', false) as is_balance_sheet,
    item.budat as posting_date,
    item.bldat as document_date,
    item.netdt as due_date,
    item.augdt as cleared_date,
    {{ sap_stamped_date('item.entered_at') }} as created_date,
    item._modified_at as modified_at,
    item._batch_id as batch_id
from {{ source('sap', 'sap_tables__acdoca') }} as item
left join {{ source('sap', 'sap_tables__t001') }} as company
    on item._connection = company._connection and item.rbukrs = company.bukrs
    and company._superseded_batch is null and not company._is_deleted
left join {{ source('sap', 'sap_tables__tcurx') }} as decimals
    on item._connection = decimals._connection and item.rwcur = decimals.currkey
    and decimals._superseded_batch is null and not decimals._is_deleted
left join {{ source('sap', 'sap_tables__tcurx') }} as base_decimals
    on item._connection = base_decimals._connection and item.rhcur = base_decimals.currkey
    and base_decimals._superseded_batch is null and not base_decimals._is_deleted
where
    item._superseded_batch is null and not item._is_deleted and (item.bstat is null or trim(item.bstat) in ('', 'A', 'B'))
    and item.rldnr = {{ connection_option('item._connection', 'ledger', default='0L') }}
    and {{ connection_says('item._connection', 'journal', 'ACDOCA', default='BSEG') }}
