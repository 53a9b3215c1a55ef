{#
  Opportunities and orders of which anything that was landed changed since the last build. An order takes the selling entity
  of its opportunity.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{{ documents_touched(
    'salesforce',
    headers=[{'stream': 'salesforce__opportunity', 'where': 'iswon'}, {'stream': 'salesforce__order'}],
    parts=[('salesforce__opportunitylineitem', 'opportunityid'), ('salesforce__orderitem', 'orderid')],
    namers=[('stg_salesforce__document_links', 'from_id')]
) }}
