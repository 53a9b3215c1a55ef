{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('payouts') }}
