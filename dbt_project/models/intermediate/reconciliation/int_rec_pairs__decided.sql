-- What people decided (pass 1), each document on its side. A document that is gone, or on no side of the hop, decides nothing.
{% set documents = ref_current('int_rec_documents') %}
{% for one, other in [('a', 'b'), ('b', 'a')] -%}
select
    decision.hop,
    left_document.document_key as left_document_key,
    right_document.document_key as right_document_key,
    decision.is_match
from {{ ref_current('int_rec_decisions') }} as decision
inner join {{ documents }} as left_document
    on {{ decided_of('decision', one, 'left_document') }}
inner join {{ documents }} as right_document
    on {{ decided_of('decision', other, 'right_document') }}
{{ join_judged('decision.hop', 'right_document.document_key') }}
where
    left_document.scope_reason is null
    and right_document.scope_reason is null
    and {{ is_on_side('decision.hop', 'left', 'left_document') }}
    and {{ is_on_side('decision.hop', 'right', 'right_document') }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
