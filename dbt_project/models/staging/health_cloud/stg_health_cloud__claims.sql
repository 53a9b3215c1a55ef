{# Contract `claims`: every claim, approved or not, with the first encounter of its case; and encounters that nobody claimed. #}
{% set zone = connection_attribute('claim.connection', 'time_zone') %}
with encounters as (
    select
        *,
        row_number() over (partition by connection, case_id order by started_at, document_id) as place
    from {{ ref('stg_health_cloud__encounters') }}
),

paid as (
    select
        payment.connection,
        payment.claimid,
        payment.currencyisocode,
        sum(payment.paymentamount) as amount
    from {{ ref('base_health_cloud__claimpaymentsummary') }} as payment
    where payment.cancellationdate is null
    group by payment.connection, payment.claimid, payment.currencyisocode
),

claimed as (
    select
        claim.connection,
        claim.id as claim_id,
        claim.name as claim_number,
        case when statuses.is_booking then {{ document_key('claim.connection', "'deal'", 'claim.id') }} end
            as claim_document_key,
        encounter.document_id as encounter_id,
        encounter.encounter_number,
        coalesce(nullif(trim(claim.payer_id), ''), encounter.payer_id) as payer_id,
        claim.selling_entity,
        claim.currencyisocode,
        coalesce(statuses.status, 'unknown') as claim_status,
        claim.estimatedamount as charged_amount,
        case when statuses.status = 'approved' then claim.approvedamount else 0 end as approved_amount,
        paid.amount as payer_paid_amount,
        encounter.encounter_date,
        {{ local_day('claim.initiationdate', zone) }} as claimed_date,
        {{ local_day('claim.finalizeddate', zone) }} as decided_date
    from {{ ref('base_health_cloud__claim') }} as claim
    left join {{ ref('map_health_cloud_claim_status') }} as statuses on claim.status = statuses.status_code
    left join encounters as encounter
        on claim.connection = encounter.connection and claim.caseid = encounter.case_id and encounter.place = 1
    left join paid
        on
            claim.connection = paid.connection
            and claim.id = paid.claimid
            and coalesce(claim.currencyisocode, '') = coalesce(paid.currencyisocode, '')
),

unclaimed as (
    select
        encounter.connection,
        cast(null as {{ dbt.type_string() }}) as claim_id,
        cast(null as {{ dbt.type_string() }}) as claim_number,
        cast(null as {{ dbt.type_string() }}) as claim_document_key,
        encounter.document_id as encounter_id,
        encounter.encounter_number,
        encounter.payer_id,
        cast(null as {{ dbt.type_string() }}) as selling_entity,
        encounter.currency_code as currencyisocode,
        'none' as claim_status,
        cast(0 as numeric) as charged_amount,
        cast(0 as numeric) as approved_amount,
        cast(null as numeric) as payer_paid_amount,
        encounter.encounter_date,
        cast(null as date) as claimed_date,
        cast(null as date) as decided_date
    from encounters as encounter
    left join {{ ref('base_health_cloud__claim') }} as claim
        on encounter.connection = claim.connection and encounter.case_id = claim.caseid
    where claim.id is null
),

claims as (
    select * from claimed
    union all
    select * from unclaimed
),

placed as (
    select
        {{ hash_key(['connection', 'claim_id', 'case when claim_id is null then encounter_id end']) }} as claim_key,
        connection,
        claim_id,
        claim_number,
        claim_document_key,
        encounter_id,
        encounter_number,
        payer_id,
        {{ legal_entity('connection', 'selling_entity') }} as legal_entity_id,
        coalesce(currencyisocode, {{ connection_attribute('connection', 'currency') }}) as currency_code,
        claim_status,
        coalesce(charged_amount, approved_amount, 0) as charged_amount,
        coalesce(approved_amount, 0) as approved_amount,
        payer_paid_amount,
        encounter_date,
        claimed_date,
        decided_date
    from claims
)

{{ select_contract('claims', 'placed') }}
