{{ quickbooks_base_lines('Payment') }}
