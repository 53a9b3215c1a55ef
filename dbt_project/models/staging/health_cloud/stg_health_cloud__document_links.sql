{# deal_order: a claim and an encounter of one case. The ERP's ids on encounters are `external_id` of documents. #}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_health_cloud__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

with encounters as (
    select encounter.*
    from {{ ref('stg_health_cloud__encounters') }} as encounter
    {{ join_touched('stg_health_cloud__documents_touched', 'encounter.connection', 'encounter.document_id') }}
    where encounter.case_id is not null
),

links as (
    select
        encounters.connection,
        {{ document_key('claim.connection', "'deal'", 'claim.id') }} as from_document_key,
        'deal' as from_type,
        claim.id as from_id,
        cast(null as {{ dbt.type_string() }}) as from_line_id,
        encounters.connection as to_connection,
        {{ document_key('encounters.connection', "'crm_order'", 'encounters.document_id') }} as to_document_key,
        'crm_order' as to_type,
        encounters.document_id as to_id,
        cast(null as {{ dbt.type_string() }}) as to_line_id,
        'deal_order' as link_type,
        cast(null as numeric) as amount,
        encounters.document_id
    from encounters
    inner join {{ ref('base_health_cloud__claim') }} as claim
        on encounters.connection = claim.connection and encounters.case_id = claim.caseid
)

{{ select_contract('document_links', 'links') }}
