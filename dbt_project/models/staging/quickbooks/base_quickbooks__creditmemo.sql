{{ quickbooks_base_sales('CreditMemo') }}
