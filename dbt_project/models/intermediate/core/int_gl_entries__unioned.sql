{{ config(materialized='view') }}

{{ union_contract('gl_entries') }}
