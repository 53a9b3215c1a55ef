{{ quickbooks_base_lines('SalesReceipt') }}
