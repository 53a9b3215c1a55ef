{#
  Documents of which anything that was landed changed since the last build. What a payment names is looked at with it: it may
  apply a credit memo, or take an invoice's rate.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{% set headers, parts = [], [] -%}
{% for entity in quickbooks_documents() -%}
    {%- do headers.append({'stream': 'quickbooks__' ~ entity | lower, 'prefix': entity ~ '-'}) -%}
    {%- do parts.append(('quickbooks__' ~ entity | lower ~ 'line', 'document', entity ~ '-')) -%}
{%- endfor -%}
{%- do parts.append(('quickbooks__paymentline', "txntype || '-' || txnid")) -%}
{{ documents_touched(
    'quickbooks', headers=headers, parts=parts,
    namers=[('stg_quickbooks__document_links', 'from_id'), ('stg_quickbooks__settlements', 'invoice_id')]
) }}
