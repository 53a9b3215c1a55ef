{# Words of enums that were sent and that no seed maps: a release may bring new ones. #}
{{ codes_unmapped([
    {
        'name': 'order status', 'model': 'base_dynamics_finance__salesorderheaders', 'value': 'sent.status_code',
        'map': 'map_dynamics_finance_order_status', 'code': 'status_code'
    },
    {
        'name': 'sales type', 'model': 'base_dynamics_finance__custinvoicejour', 'value': 'sent.sales_type',
        'map': 'map_dynamics_finance_sales_type', 'code': 'sales_type'
    },
    {
        'name': 'transaction type', 'model': 'base_dynamics_finance__custtrans', 'value': 'sent.type_code',
        'map': 'map_dynamics_finance_transaction_type', 'code': 'type_code'
    },
    {
        'name': 'posting type', 'model': 'base_dynamics_finance__voucherline', 'value': 'sent.posting_type',
        'map': 'map_dynamics_finance_posting_type', 'code': 'posting_type'
    },
    {
        'name': 'account type of a payment', 'model': 'base_dynamics_finance__paymentlines', 'value': 'sent.account_type',
        'map': 'map_dynamics_finance_journal_account', 'code': 'account_type'
    },
    {
        'name': 'account type', 'model': 'base_dynamics_finance__mainaccounts', 'value': 'sent.account_type',
        'map': 'map_dynamics_finance_account_type', 'code': 'account_type'
    },
    {
        'name': 'conversion factor', 'model': 'base_dynamics_finance__exchangerates', 'value': 'sent.factor_code',
        'where': 'sent.factor is null'
    },
    {
        'name': 'currency', 'model': 'base_dynamics_finance__ledgers', 'value': 'sent.currency',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
