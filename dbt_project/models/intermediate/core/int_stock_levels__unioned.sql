{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('stock_levels') }}
