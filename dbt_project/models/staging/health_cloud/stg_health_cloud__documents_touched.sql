{#
  Claims and encounters of which anything landed changed since the last build. They name one another by their case: whichever
  changed, the other is looked at as well. Who pays for an encounter is told by the plans of its patient.
#}
{{ config(materialized='table', pre_hook="{{ session_settings() }}") }}

{{ documents_touched(
    'health_cloud',
    headers=[{'stream': 'health_cloud__claim'}, {'stream': 'health_cloud__clinicalencounter'}],
    parts=[('health_cloud__claimitem', 'claimid')],
    namers=[]
) }}
{% set encounters = source('health_cloud', 'health_cloud__clinicalencounter') -%}
{% set claims = source('health_cloud', 'health_cloud__claim') -%}
{% set plans = source('health_cloud', 'health_cloud__memberplan') -%}
{% if is_partial_build() %}
union
select encounter._connection, encounter._key
from {{ plans }} as landed
inner join {{ encounters }} as encounter
    on landed._connection = encounter._connection and landed.memberid = encounter.patientid
where
    encounter._superseded_batch is null
    and (
        landed._batch_id > {{ var('previous_batch_id') | int }}
        or landed._superseded_batch > {{ var('previous_batch_id') | int }}
    )
union
select claim._connection, claim._key
from {{ plans }} as landed
inner join {{ encounters }} as encounter
    on landed._connection = encounter._connection and landed.memberid = encounter.patientid
inner join {{ claims }} as claim
    on encounter._connection = claim._connection and encounter.caseid = claim.caseid
where
    encounter._superseded_batch is null
    and claim._superseded_batch is null
    and (
        landed._batch_id > {{ var('previous_batch_id') | int }}
        or landed._superseded_batch > {{ var('previous_batch_id') | int }}
    )
{% for one, other in [(claims, encounters), (encounters, claims)] -%}
union
select named._connection, named._key
from {{ one }} as landed
inner join {{ other }} as named on landed._connection = named._connection and landed.caseid = named.caseid
where
    named._superseded_batch is null
    and (
        landed._batch_id > {{ var('previous_batch_id') | int }}
        or landed._superseded_batch > {{ var('previous_batch_id') | int }}
    )
{% endfor -%}
{% endif -%}
-- depends on: {{ plans }}, so that both kinds of build have the same graph
