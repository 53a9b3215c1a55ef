{# Codes that Salesforce sent and no seed maps. #}
{{ codes_unmapped([
    {
        'name': 'order status', 'model': 'stg_salesforce__documents', 'value': 'sent.source_status_code',
        'where': "sent.document_type = 'crm_order' and sent.status is null"
    },
    {
        'name': 'currency', 'model': 'stg_salesforce__documents', 'value': 'sent.currency_code',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
