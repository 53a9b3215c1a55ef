{#
  Whether an entry of the cross-reference table speaks of a document, which stands on the right side of its hop: by the
  document's own reference, its unit, and its day.
#}
{% macro speaks_of(crossref, document) -%}
    {{ crossref }}.reference_token = {{ document }}.reference_token
    and {{ is_on_side(crossref ~ '.hop', 'right', document) }}
    and {{ document }}.document_type <> 'crm_order'
    and coalesce({{ crossref }}.business_unit, {{ document }}.business_unit) = {{ document }}.business_unit
    and coalesce({{ crossref }}.valid_from, {{ document }}.document_date) <= {{ document }}.document_date
    and coalesce({{ crossref }}.valid_to, {{ document }}.document_date) >= {{ document }}.document_date
{%- endmacro %}
