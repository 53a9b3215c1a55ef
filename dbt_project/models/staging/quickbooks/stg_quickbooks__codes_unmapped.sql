{# Words that were sent and that no seed maps: a release may bring new ones. #}
{% set sets = [
    {
        'name': 'estimate status', 'model': 'base_quickbooks__estimate', 'value': 'sent.status_code',
        'map': 'map_quickbooks_estimate_status', 'code': 'status_code'
    },
    {
        'name': 'account type', 'model': 'base_quickbooks__account', 'value': 'sent.account_type',
        'map': 'map_quickbooks_account_type', 'code': 'account_type'
    },
    {
        'name': 'item type', 'model': 'base_quickbooks__item', 'value': 'sent.type_code',
        'map': 'map_quickbooks_item_type', 'code': 'item_type'
    },
    {
        'name': 'currency', 'model': 'base_quickbooks__preferences', 'value': 'sent.home_currency',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
] -%}
{% for entity in quickbooks_sales() -%}
    {%- do sets.append({
        'name': 'line of ' ~ entity, 'model': 'base_quickbooks__' ~ entity | lower ~ 'line', 'value': 'sent.detail_type',
        'map': 'map_quickbooks_line_kind', 'code': 'detail_type', 'where': "sent.kind in ('line', 'bundle')"
    }) -%}
{%- endfor -%}
{{ codes_unmapped(sets) }}
