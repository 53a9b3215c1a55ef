{{ quickbooks_base_lines('Invoice') }}
