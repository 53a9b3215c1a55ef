-- Documents that changed since the last good build, as they were then and as they are now: their tokens and ids are what
-- others may have referred to. CRM orders stand for their deal, so those of a changed deal are here as well. Empty in a
-- complete build, which judges everything anyway.
{% set documents = ref('int_rec_documents') %}
{% set looked_at = ref('int_documents__touched') %}
{% set links = ref('int_document_links__unioned') %}
{% set current = ref_current('int_rec_documents') %}
{% set decisions = ref_current('int_rec_decisions') %}
{% set columns %}
    document.document_key, document.role, document.business_unit, document.document_type, document.document_id, document.external_id,
    document.number_token, document.reference_token, document.sought_token, document.customer_key, document.currency_code,
    document.net_amount, document.document_date
{% endset %}
{% if is_partial_build() -%}
with named as (
    -- lines, links, settlements or ledger rows
    select document.document_key
    from {{ looked_at }} as touched
    {{ look_up(current, 'document', 'touched.connection = document.connection and touched.document_id = document.document_id') }}
    union
    -- the document itself: what it says, or whether it is there
    select document.document_key
    from {{ documents }} as document
    where {{ changed_since_last_build() }}
    union
    -- what an abandoned build has judged already
    select document.document_key
    from {{ left_behind('rec_document') }} as document
    where {{ changed_since_last_build() }}
    -- what people decided of it, or took back
    {% for one in ['a', 'b'] -%}
    union
    select document.document_key
    from {{ ref_changed('int_rec_decisions') }} as decision
    {{ look_up(current, 'document', decided_of('decision', one, 'document')) }}
    {% endfor %}
),

-- Of two documents of which somebody decided, neither is judged without the other; one may be gone. What a payment has left for
-- one invoice depends on what it pays of another, so of cash a further step is looked at.
{% for step, before, hops in [('decided', 'named', ('deal_order', 'order_invoice', 'invoice_cash')), ('applied', 'decided', ('invoice_cash',))] -%}
{{ step }} as (
    {% for one, other in [('a', 'b'), ('b', 'a')] -%}
    select partner.document_key
    from {{ before }}
    {{ look_up(documents, 'document', before ~ '.document_key = document.document_key') }}
    {{ look_up(decisions, 'decision', decided_of('decision', one, 'document')) }}
    {{ look_up(current, 'partner', decided_of('decision', other, 'partner')) }}
    where decision.hop in ({% for hop in hops %}'{{ hop }}'{% if not loop.last %}, {% endif %}{% endfor %})
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

{% endfor -%}

of_deals as (
    select link.to_document_key as document_key
    from named
    {{ look_up(links, 'link', 'named.document_key = link.from_document_key') }}
    where link.link_type = 'deal_order'
),

concerned as (
    select document_key from named
    union
    select document_key from of_deals
    union
    select document_key from decided
    union
    select document_key from applied
)

select {{ columns }}
from concerned
{{ look_up(current, 'document', 'concerned.document_key = document.document_key') }}
union
select {{ columns }}
from {{ documents }} as document
where
    document.superseded_run > {{ var('previous_run_id') | int }}
    and document.superseded_run < {{ open_run() }}
union
-- without a version of today or of then: what is left of it in the marts is closed
select
    document_key,
    {% for column in ['role', 'business_unit', 'document_type', 'document_id', 'external_id', 'number_token', 'reference_token', 'sought_token', 'customer_key', 'currency_code'] -%}
    cast(null as {{ dbt.type_string() }}) as {{ column }},
    {% endfor -%}
    cast(null as numeric(28, 4)) as net_amount,
    cast(null as date) as document_date
from named
{%- else -%}
select {{ columns }}
from {{ documents }} as document
where 1 = 0
{%- endif %}
