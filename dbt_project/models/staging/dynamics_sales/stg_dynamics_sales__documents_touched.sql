{#
  Deals and orders of which anything that was landed changed since the last build. An order takes the selling entity of its
  deal.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{{ documents_touched(
    'dynamics_sales',
    headers=[
        {'stream': 'dynamics_sales__opportunity', 'where': 'state_code = 1'}, {'stream': 'dynamics_sales__salesorder'}
    ],
    parts=[
        ('dynamics_sales__opportunityproduct', 'opportunityid'), ('dynamics_sales__salesorderdetail', 'salesorderid')
    ],
    namers=[('stg_dynamics_sales__document_links', 'from_id')]
) }}
