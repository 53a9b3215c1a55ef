{{ quickbooks_base_lines('Deposit') }}
