{# Codes that NetSuite sent and no seed maps. Of statuses only those of types of which we read the status. #}
{{ codes_unmapped([
    {
        'name': 'transaction type', 'model': 'stg_netsuite__documents', 'value': 'sent.source_type_code',
        'map': 'map_netsuite_transaction_type', 'code': 'type_code'
    },
    {
        'name': 'transaction status', 'model': 'stg_netsuite__documents',
        'value': "sent.source_type_code || ':' || sent.source_status_code",
        'where': 'sent.status is null and sent.source_status_code is not null and sent.source_type_code in (select type_code from '
        ~ ref('map_netsuite_status') ~ ')'
    },
    {
        'name': 'account type', 'model': 'base_netsuite__account', 'value': 'sent.accttype',
        'map': 'map_netsuite_account_type', 'code': 'account_type_code', 'where': 'sent.accttype is not null'
    },
    {
        'name': 'link type', 'model': 'base_netsuite__nexttransactionlink', 'value': 'sent.linktype',
        'map': 'map_netsuite_link_type', 'code': 'link_type_code', 'where': 'not sent.is_deleted'
    },
    {
        'name': 'currency', 'model': 'base_netsuite__currency', 'value': 'sent.symbol',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
