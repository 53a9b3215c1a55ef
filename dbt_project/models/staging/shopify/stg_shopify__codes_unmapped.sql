{# Codes that Shopify sent and that no seed maps. #}
{{ codes_unmapped([
    {
        'name': 'reason and action of a sale', 'model': 'base_shopify__sales',
        'value': "sent.reason || '/' || sent.action_type", 'map': 'map_shopify_sale', 'code': 'sale_code'
    },
    {
        'name': 'line type of a sale', 'model': 'base_shopify__sales', 'value': 'sent.line_type',
        'map': 'map_shopify_line_type', 'code': 'line_type'
    },
    {
        'name': 'status of a payout', 'model': 'base_shopify__payouts', 'value': 'sent.status',
        'map': 'map_shopify_payout_status', 'code': 'status'
    },
    {
        'name': 'currency', 'model': 'stg_shopify__documents', 'value': 'sent.currency_code',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
