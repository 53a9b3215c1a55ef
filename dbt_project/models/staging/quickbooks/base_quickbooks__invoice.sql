{{ quickbooks_base_sales('Invoice') }}
