{{ config(materialized='view') }}

{{ union_contract('document_links') }}
