{# Codes that Oracle sent and no seed maps. Types of transactions are the company's own words: its types go into the seed. #}
{{ codes_unmapped([
    {
        'name': 'transaction type', 'model': 'stg_oracle__documents', 'value': 'sent.source_type_code',
        'map': 'map_oracle_transaction_type', 'code': 'type_code'
    },
    {
        'name': 'status', 'model': 'stg_oracle__documents',
        'value': "sent.source_type_code || ':' || sent.source_status_code",
        'where': 'sent.status is null and sent.source_status_code is not null'
    },
    {
        'name': 'account class', 'model': 'stg_oracle__distributions', 'value': 'sent.accountclass',
        'map': 'map_oracle_account_class', 'code': 'class_code', 'where': 'sent.accountclass is not null'
    },
    {
        'name': 'adjustment type', 'model': 'base_oracle__transactionadjustments', 'value': 'sent.adjustmenttype',
        'map': 'map_oracle_adjustment_type', 'code': 'type_code'
    },
    {
        'name': 'currency', 'model': 'base_oracle__ledgerslov', 'value': 'sent.currencycode',
        'map': 'iso_currencies', 'code': 'currency_code'
    },
    {
        'name': 'document currency', 'model': 'stg_oracle__documents', 'value': 'sent.currency_code',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
