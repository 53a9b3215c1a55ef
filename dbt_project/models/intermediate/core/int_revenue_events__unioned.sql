{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('revenue_events') }}
