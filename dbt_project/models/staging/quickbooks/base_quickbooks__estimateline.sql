{{ quickbooks_base_lines('Estimate') }}
