{#
  Encounters with who pays for them: the payer of the plan of its patient that pays first on that day. Persons' ids are
  keyed hashes on both sides. The first encounter of a case is the one that its claims are about.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_health_cloud__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[{'columns': ['connection', 'document_id'], 'unique': true}, {'columns': ['connection', 'case_id']}]
) }}

with encounters as (
    select
        encounter.*,
        {{ local_day('encounter.startdate', connection_attribute('encounter.connection', 'time_zone')) }} as encounter_date
    from {{ ref('base_health_cloud__clinicalencounter') }} as encounter
    {{ join_touched('stg_health_cloud__documents_touched', 'encounter.connection', 'encounter.record_key') }}
),

plans as (
    select
        encounters.connection,
        encounters.id as document_id,
        plan.payerid as payer_id,
        row_number() over (
            partition by encounters.connection, encounters.id
            order by
                coalesce(
                    plan.priorityorder,
                    case plan.primarysecondarytertiary when 'Primary' then 1 when 'Secondary' then 2 when 'Tertiary' then 3 end,
                    9
                ),
                plan.effectivefrom desc,
                plan.id
        ) as choice
    from encounters
    inner join {{ ref('base_health_cloud__memberplan') }} as plan
        on encounters.connection = plan.connection and encounters.patientid = plan.memberid
    where
        plan.payerid is not null
        and coalesce(plan.effectivefrom, encounters.encounter_date) <= encounters.encounter_date
        and coalesce(plan.effectiveto, encounters.encounter_date) >= encounters.encounter_date
)

select
    encounters.connection,
    encounters.id as document_id,
    encounters.caseid as case_id,
    nullif(trim(encounters.sourcesystemidentifier), '') as encounter_number,
    plans.payer_id,
    encounters.currencyisocode as currency_code,
    nullif(trim(encounters.erp_order_id), '') as erp_order_id,
    encounters.status as status_code,
    encounters.category as category_code,
    encounters.encounter_date,
    encounters.startdate as started_at,
    encounters.createddate as created_at,
    encounters.modified_at,
    encounters.batch_id
from encounters
left join plans
    on encounters.connection = plans.connection and encounters.id = plans.document_id and plans.choice = 1
