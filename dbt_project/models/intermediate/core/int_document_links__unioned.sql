{{ config(materialized='view', tags=['settled']) }}

{{ union_contract('document_links') }}
