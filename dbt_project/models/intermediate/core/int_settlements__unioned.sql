{{ config(materialized='view') }}

{{ union_contract('settlements') }}
