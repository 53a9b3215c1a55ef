{{ quickbooks_base_sales('Estimate') }}
