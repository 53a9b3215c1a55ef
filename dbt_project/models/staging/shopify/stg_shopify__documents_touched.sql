{#
  Orders of which anything that was landed changed since the last build. An order is two documents: the deal under its number,
  and the CRM's order under its global id, for others name it by either.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{{ documents_touched(
    'shopify',
    headers=[{'stream': 'shopify__orders'}, {'stream': 'shopify__orders', 'prefix': 'gid://shopify/Order/'}],
    parts=[
        ('shopify__sales', 'order_id'), ('shopify__sales', 'order_id', 'gid://shopify/Order/'),
        ('shopify__line_items', 'order_id'), ('shopify__line_items', 'order_id', 'gid://shopify/Order/')
    ],
    namers=[]
) }}
