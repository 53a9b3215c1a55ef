{# Transactions of which anything that was landed changed since the last build: header, lines, ledger rows, links. #}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{{ documents_touched(
    'netsuite',
    headers=[{'stream': 'netsuite__transaction', 'type': 'type'}],
    parts=[
        ('netsuite__transactionline', 'transaction'),
        ('netsuite__transactionaccountingline', 'transaction'),
        ('netsuite__nexttransactionlink', 'previousdoc'),
        ('netsuite__nexttransactionlink', 'nextdoc')
    ],
    namers=[('stg_netsuite__document_links', 'from_id'), ('stg_netsuite__settlements', 'invoice_id')]
) }}
