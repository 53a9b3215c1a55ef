-- Documents of which the ageing is worked out again: those whose cash is judged again, whoever settles them, and those for
-- which the as-of date moved past a day that counts: of the document, of an application, or of the next bucket. Not read in a
-- complete build.
{% set touched = ref('int_rec_touched') %}
{% set settlements = ref('int_settlements__unioned') %}
{% set documents = ref('int_rec_documents') %}
{% set customers = ref_changed('dim_customer') %}
{% if is_partial_build() -%}
with judged as (
    select document_key
    from {{ touched }}
    where hop = 'invoice_cash'
    union
    select document_key
    from {{ documents }} as document
    where document.superseded_run = {{ open_run() }} and {{ between_builds('document.document_date') }}
)

select document_key
from judged
union
select settlement.payment_document_key as document_key
from judged
inner join {{ settlements }} as settlement on judged.document_key = settlement.invoice_document_key
union
select settlement.invoice_document_key as document_key
from judged
inner join {{ settlements }} as settlement on judged.document_key = settlement.payment_document_key
{% for end in ['payment', 'invoice'] -%}
union
select {{ end }}_document_key as document_key
from {{ settlements }} as settlement
where {{ between_builds('settlement.applied_date') }}
{% endfor -%}
union
select document_key
from {{ left_behind('fin_ar_ageing') }} as ageing
where {{ changed_since_last_build() }}
union
select ageing.document_key
from {{ left_behind('fin_ar_ageing') }} as ageing
where
    ageing.superseded_run = {{ open_run() }}
    and (
        {% for days in [0, 30, 60, 90] -%}
        {{ between_builds('ageing.due_date', days + 1) }}
        {% if not loop.last %}or {% endif -%}
        {% endfor %}
    )
union
select ageing.document_key
from (
    select distinct customer_key from {{ customers }} as renamed
) as customer
inner join {{ left_behind('fin_ar_ageing') }} as ageing on customer.customer_key = ageing.customer_key
where ageing.superseded_run = {{ open_run() }}
{%- else -%}
select document_key
from {{ touched }}
-- depends on {{ settlements }}, {{ documents }}: both kinds of build have the same graph
where 1 = 0
{%- endif %}
