-- The groups of which this build replaces what the marts say: those in which something that it judges again stands or stood.
{% set touched = ref('int_rec_touched') %}
{% if is_partial_build() -%}
with groups as (
    select
        hop,
        document_key as group_key
    from {{ touched }}
    union
    select
        document.hop,
        document.group_key
    from {{ touched }} as touched
    inner join {{ left_behind('rec_document') }} as document
        on touched.hop = document.hop and touched.document_key = document.document_key
    where document.superseded_run = {{ open_run() }} and touched.hop in ('deal_order', 'order_invoice')
)

select
    hop,
    group_key,
    {{ hash_key(['hop', 'group_key']) }} as match_key
from groups
{%- else -%}
select
    hop,
    document_key as group_key,
    {{ hash_key(['hop', 'document_key']) }} as match_key
from {{ touched }}
where 1 = 0
{%- endif %}
