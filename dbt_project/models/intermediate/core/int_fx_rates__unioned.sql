{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('fx_rates') }}
