{{ quickbooks_base_sales('SalesReceipt') }}
