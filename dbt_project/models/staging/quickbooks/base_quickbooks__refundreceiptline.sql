{{ quickbooks_base_lines('RefundReceipt') }}
