-- The first documents of the chains that this build adds up again: everybody whom it judges or judged before, and whom
-- these follow from, up to the deal. Not read in a complete build.
{% set members = ref('int_rec_members') %}
{% set groups = ref('int_rec_groups__touched') %}
{% set changes = ref('int_rec_changes') %}
{% set customers = ref_changed('dim_customer') %}
{% set stored = left_current('rec_document') %}
{% if is_partial_build() -%}
with stood as (
    select
        document.document_key,
        document.piece_key,
        document.group_key
    from {{ groups }} as touched
    {{ look_up(stored, 'document', 'touched.hop = document.hop and touched.group_key = document.group_key') }}
    union all
    select
        document_key,
        piece_key,
        group_key
    from {{ left_behind('rec_document') }} as document
    where {{ changed_since_last_build() }}
    union all
    select
        document_key,
        piece as piece_key,
        group_key
    from {{ members }}
),

concerned as (
    {% for column in ['document_key', 'piece_key', 'group_key'] -%}
    select {{ column }} as document_key
    from stood
    union
    {% endfor -%}
    select document_key from {{ changes }}
),

{% for level, hop, below in [('orders', 'order_invoice', 'concerned'), ('deals', 'deal_order', 'orders')] -%}
{{ level }} as (
    select document_key from {{ below }}
    union
    select document.group_key as document_key
    from {{ below }} as follower
    {{ look_up(stored, 'document', 'follower.document_key = document.document_key') }}
    where document.hop = '{{ hop }}' and document.side = 'right'
    union
    select member.group_key as document_key
    from {{ below }} as follower
    inner join {{ members }} as member on follower.document_key = member.document_key
    where member.hop = '{{ hop }}' and member.side = 'right'
),

{% endfor -%}

chains as (
    select first_document_key
    from {{ left_behind('rec_document_chain') }} as chain
    where {{ changed_since_last_build() }}
    union
    select chain.first_document_key
    from (
        select distinct customer_key from {{ customers }} as renamed
    ) as customer
    inner join {{ left_behind('rec_document_chain') }} as chain on customer.customer_key = chain.customer_key
    where chain.superseded_run = {{ open_run() }}
)

select document_key as first_document_key
from deals
where document_key is not null
union
select first_document_key
from chains
{%- else -%}
select document_key as first_document_key
from {{ changes }}
-- depends on {{ members }}, {{ groups }}: both kinds of build have the same graph
where 1 = 0
{%- endif %}
