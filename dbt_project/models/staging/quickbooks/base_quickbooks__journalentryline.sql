{{ quickbooks_base_lines('JournalEntry') }}
