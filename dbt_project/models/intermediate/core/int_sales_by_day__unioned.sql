{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('sales_by_day') }}
