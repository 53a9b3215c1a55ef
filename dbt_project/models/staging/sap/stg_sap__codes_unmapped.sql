{# Codes that SAP sent and no seed maps. Accounts: those of profit and loss in no range of their chart. #}
{{ codes_unmapped([
    {
        'name': 'billing category', 'model': 'base_sap__billing', 'value': 'sent.category_code',
        'map': 'map_sap_document_category', 'code': 'category_code'
    },
    {
        'name': 'delivery category', 'model': 'base_sap__delivery', 'value': 'sent.category_code',
        'map': 'map_sap_document_category', 'code': 'category_code'
    },
    {
        'name': 'accounting document type', 'model': 'stg_sap__documents', 'value': 'sent.source_type_code',
        'map': 'map_sap_accounting_type', 'code': 'accounting_type_code', 'where': "sent.document_id like '%/%'"
    },
    {
        'name': 'account', 'model': 'base_sap__accountingitem', 'value': "sent.chart_of_accounts || ':' || sent.account_code",
        'where': "not sent.is_balance_sheet and not exists (select 1 from " ~ ref('map_sap_account') ~ " as known where "
        ~ "known.chart_of_accounts = sent.chart_of_accounts and lpad(" ~ sap_number('sent.account_code')
        ~ ", 10, '0') between known.first_account and known.last_account)"
    },
    {
        'name': 'currency', 'model': 'base_sap__companycode', 'value': 'sent.currency',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
