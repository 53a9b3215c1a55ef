{{ config(materialized='view') }}

{{ union_contract('revenue_events') }}
