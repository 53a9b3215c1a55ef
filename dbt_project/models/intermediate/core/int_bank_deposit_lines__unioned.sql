{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('bank_deposit_lines') }}
