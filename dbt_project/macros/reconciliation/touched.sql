{#
  The reconciliation judges what changed: a build looks again at the documents, and at the groups, that int_rec_touched
  lists. Its own steps are tables that hold nothing else; the marts rec_* keep the rest as it stands.
#}

{# `join` to the documents of a hop (in invoice_cash and invoice_ledger: to the groups) that are judged again. #}
{% macro join_judged(hop, key) -%}
    {%- if model.resource_type != 'unit_test' -%}
    {%- set touched = ref('int_rec_touched') -%}
    {%- if is_partial_build() -%}
    inner join {{ touched }} as judged on judged.hop = {{ hop }} and {{ key }} = judged.document_key
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# `from` with the documents of a hop that are judged again, by their index; in a complete build with all. #}
{% macro from_judged(relation, name, hop) -%}
    {%- if model.resource_type != 'unit_test' -%}{%- set touched = ref('int_rec_touched') -%}{%- endif -%}
    {%- if is_partial_build() -%}
    from {{ touched }} as judged
    {{ look_up(relation, name, "judged.hop = '" ~ hop ~ "' and judged.document_key = " ~ name ~ ".document_key") }}
    {%- else -%}
    from {{ relation }} as {{ name }}
    {%- endif -%}
{%- endmacro %}

{# The day of the build before, and the days on which something turns between then and now, whichever came first. #}
{% macro between_builds(date, days=0) -%}
    {%- set now, before = var('as_of_date'), var('previous_as_of_date') -%}
    {%- set first, last = (before, now) if before <= now else (now, before) -%}
    (
        {{ date }} > {{ dbt.dateadd('day', -days, "cast('" ~ first ~ "' as date)") }}
        and {{ date }} <= {{ dbt.dateadd('day', -days, "cast('" ~ last ~ "' as date)") }}
    )
{%- endmacro %}
