{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('payout_movements') }}
