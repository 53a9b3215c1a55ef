{{ quickbooks_base_sales('RefundReceipt') }}
