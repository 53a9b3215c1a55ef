{#
  Approved claims are the deals; the encounters that they are about play the CRM's orders, which the ERP's orders name.
  Health Cloud has no lookup from a claim to its encounter: they share a case, and the first encounter of it counts.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_health_cloud__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id'], 'unique': true},
        {'columns': ['connection', 'customer_id']},
        {'columns': ['document_date']}
    ]
) }}

{% set zone = connection_attribute('claim.connection', 'time_zone') %}
with first_encounters as (
    select
        *,
        row_number() over (partition by connection, case_id order by started_at, document_id) as place
    from {{ ref('stg_health_cloud__encounters') }}
    where case_id is not null
),

claims as (
    select
        claim.connection,
        'deal' as document_type,
        claim.id as document_id,
        coalesce(claim.name, claim.id) as document_number,
        claim.selling_entity,
        coalesce(nullif(trim(claim.payer_id), ''), encounter.payer_id) as customer_id,
        claim.currencyisocode,
        claim.claimtype as source_type_code,
        claim.status as source_status_code,
        'won' as status,
        cast(null as {{ dbt.type_string() }}) as external_id,
        cast(null as {{ dbt.type_string() }}) as reference,
        {{ source_url('claim.connection', 'Claim', 'claim.id') }} as source_url,
        claim.approvedamount as header_total_amount,
        {{ local_day('coalesce(claim.finalizeddate, claim.initiationdate, claim.createddate)', zone) }} as document_date,
        claim.createddate as created_at,
        claim.modified_at,
        claim.batch_id
    from {{ ref('base_health_cloud__claim') }} as claim
    inner join {{ ref('map_health_cloud_claim_status') }} as statuses on claim.status = statuses.status_code
    {{ join_touched('stg_health_cloud__documents_touched', 'claim.connection', 'claim.record_key') }}
    left join first_encounters as encounter
        on claim.connection = encounter.connection and claim.caseid = encounter.case_id and encounter.place = 1
    where statuses.is_booking
),

of_cases as (
    select
        connection,
        caseid as case_id,
        min(selling_entity) as selling_entity,
        min(nullif(trim(payer_id), '')) as payer_id
    from {{ ref('base_health_cloud__claim') }}
    where caseid is not null
    group by connection, caseid
),

encounters as (
    select
        encounter.connection,
        'crm_order' as document_type,
        encounter.document_id,
        coalesce(encounter.encounter_number, encounter.document_id) as document_number,
        of_cases.selling_entity,
        coalesce(of_cases.payer_id, encounter.payer_id) as customer_id,
        encounter.currency_code as currencyisocode,
        encounter.category_code as source_type_code,
        encounter.status_code as source_status_code,
        'open' as status,
        encounter.erp_order_id as external_id,
        cast(null as {{ dbt.type_string() }}) as reference,
        {{ source_url('encounter.connection', 'ClinicalEncounter', 'encounter.document_id') }} as source_url,
        cast(null as numeric) as header_total_amount,
        encounter.encounter_date as document_date,
        encounter.created_at,
        encounter.modified_at,
        encounter.batch_id
    from {{ ref('stg_health_cloud__encounters') }} as encounter
    {{ join_touched('stg_health_cloud__documents_touched', 'encounter.connection', 'encounter.document_id') }}
    left join of_cases on encounter.connection = of_cases.connection and encounter.case_id = of_cases.case_id
),

documents as (
    select * from claims
    union all
    select * from encounters
),

keyed as (
    select
        {{ document_key('connection', 'document_type', 'document_id') }} as document_key,
        connection,
        document_type,
        document_id,
        document_number,
        {{ legal_entity('connection', 'selling_entity') }} as legal_entity_id,
        customer_id,
        coalesce(currencyisocode, {{ connection_attribute('connection', 'currency') }}) as currency_code,
        source_type_code,
        source_status_code,
        status,
        external_id,
        reference,
        {{ period_of('document_date') }} as posting_period,
        source_url,
        header_total_amount,
        cast(null as numeric) as exchange_rate,
        cast(null as integer) as line_count,
        false as is_posting,
        false as is_voided,
        false as is_cancelled,
        false as is_pending,
        false as is_intercompany,
        false as has_billing_schedule,
        document_date,
        cast(null as date) as due_date,
        cast(null as date) as closed_date,
        created_at,
        modified_at,
        batch_id
    from documents
)

{{ select_contract('documents', 'keyed') }}
