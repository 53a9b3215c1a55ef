-- The register of breaks. The key is made of the hop, the anchor, the document and the reason, so a break keeps its name and
-- its first day while its amount changes. What people do about a break is no business of a build: it is in ops.break_event,
-- and reporting.rec_break shows both.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='break_key', full_refresh=false,
    scope='document', scope_columns=['group_key', 'hop'], scope_model='int_rec_groups__touched',
    lookups=['customer_key', 'document_date', 'reason_code'], hash_exclude=['age_days'], indexes=[{'columns': ['break_key']}]
) }}
-- depends on: {{ ref('int_rec_groups__touched') }}

with breaks as (
    select * from {{ ref('int_rec_breaks') }}
),

{% if is_incremental() -%}
known as (
    select breaks.break_key, min(earlier.first_seen_date) as first_seen_date
    from breaks
    inner join {{ this }} as earlier on breaks.break_key = earlier.break_key
    group by breaks.break_key
),
{%- else -%}
known as (
    select break_key, cast(null as date) as first_seen_date
    from breaks
    where 1 = 0
),
{%- endif %}

-- What a break amounts to in the group's currency: its first effect, as the cells add up.
translated as (
    select break_key, group_amount
    from {{ ref('int_rec_effects') }}
    where part = 1
),

-- The first rule that fits names the owner and the days. An amount that is unknown in the group's currency is large enough.
ruled as (
    select
        breaks.break_key,
        rules.owner,
        rules.due_days,
        row_number() over (partition by breaks.break_key order by rules.rule_order) as place
    from breaks
    left join translated on breaks.break_key = translated.break_key
    inner join {{ ref('rec_owner_rules') }} as rules
        on
            coalesce(rules.reason_code, breaks.reason_code) = breaks.reason_code
            and coalesce(rules.hop, breaks.hop) = breaks.hop
            and coalesce(rules.legal_entity_id, breaks.legal_entity_id) = breaks.legal_entity_id
            and coalesce(abs(translated.group_amount) >= rules.min_group_amount, true)
),

customers as (
    select customer_key, name
    from {{ ref_current('dim_customer') }}
),

described as (
    select
        breaks.break_key,
        breaks.hop,
        breaks.reason_code,
        reasons.reason_name,
        breaks.group_key,
        matches.match_key,
        breaks.document_key,
        own.connection,
        own.document_type,
        own.document_id,
        own.document_number,
        breaks.counter_document_key,
        counter.document_number as counter_document_number,
        breaks.business_unit,
        breaks.legal_entity_id,
        own.customer_key,
        customers.name as customer_name,
        breaks.currency_code,
        breaks.amount,
        case
            when breaks.hop = 'invoice_ledger' then breaks.amount
            else {{ round_minor('breaks.amount * own.fx_rate', 'own.functional_minor_units') }}
        end as functional_amount,
        translated.group_amount,
        case when breaks.amount > 0 then 'left_exceeds_right' else 'right_exceeds_left' end as direction,
        breaks.confidence,
        reasons.is_expected,
        own.document_date,
        coalesce(known.first_seen_date, cast('{{ var("as_of_date") }}' as date)) as first_seen_date,
        {{ dbt.datediff('own.document_date', "cast('" ~ var("as_of_date") ~ "' as date)", 'day') }} as age_days,  -- noqa: LT05
        case
            when abs(coalesce(translated.group_amount, 0)) >= tolerance.material_group_amount then 'material'
            else 'minor'
        end as materiality,
        coalesce(ruled.owner, reasons.default_owner) as owner,
        coalesce(ruled.due_days, reasons.due_days) as due_days,
        breaks.period as period_opened,
        breaks.counter_period as period_cleared,
        own.source_url,
        breaks.evidence
    from breaks
    inner join {{ ref_current('int_rec_documents') }} as own
        on breaks.document_key = own.document_key
    inner join {{ ref('rec_break_reasons') }} as reasons on breaks.reason_code = reasons.reason_code
    inner join {{ ref('rec_hop_tolerances') }} as tolerance on breaks.hop = tolerance.hop
    left join translated on breaks.break_key = translated.break_key
    left join {{ ref_current('rec_match') }} as matches on {{ hash_key(['breaks.hop', 'breaks.group_key']) }} = matches.match_key
    left join {{ ref_current('int_rec_documents') }} as counter
        on breaks.counter_document_key = counter.document_key
    left join customers on own.customer_key = customers.customer_key
    left join known on breaks.break_key = known.break_key
    left join ruled on breaks.break_key = ruled.break_key and ruled.place = 1
),

aged as (
    select
        *,
        case
            when age_days <= 30 then '0-30'
            when age_days <= 60 then '31-60'
            when age_days <= 90 then '61-90'
            else '90+'
        end as age_bucket,
        cast({{ dbt.dateadd('day', 'due_days', 'first_seen_date') }} as date) as due_date
    from described
)

{{ versioned('aged') }}
