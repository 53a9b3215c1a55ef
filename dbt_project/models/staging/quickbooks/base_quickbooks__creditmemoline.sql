{{ quickbooks_base_lines('CreditMemo') }}
