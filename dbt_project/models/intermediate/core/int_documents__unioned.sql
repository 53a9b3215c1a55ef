{{ config(materialized='view') }}

{{ union_contract('documents') }}
