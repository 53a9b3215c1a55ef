{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('gl_entries') }}
