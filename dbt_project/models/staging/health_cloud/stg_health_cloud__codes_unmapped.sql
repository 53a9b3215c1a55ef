{# Codes that Health Cloud sent and no seed maps. #}
{{ codes_unmapped([
    {
        'name': 'claim status', 'model': 'base_health_cloud__claim', 'value': "coalesce(sent.status, '')",
        'map': 'map_health_cloud_claim_status', 'code': 'status_code'
    },
    {
        'name': 'currency', 'model': 'stg_health_cloud__documents', 'value': 'sent.currency_code',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
