{# Whether a document stands on a side of deal → order or of order → invoice, as int_rec_populations puts it there. #}
{% macro is_on_side(hop, side, document) -%}
    {%- set roles = {'left': ('deal', 'order'), 'right': ('order', 'billing')}[side] -%}
    (
        ({{ hop }} = 'deal_order' and {{ document }}.role = '{{ roles[0] }}')
        or ({{ hop }} = 'order_invoice' and {{ document }}.role = '{{ roles[1] }}')
    )
{%- endmacro %}

{# Whether two dates are no more than `days` apart. #}
{% macro within_days(date, other, days) -%}
    abs({{ dbt.datediff(other, date, 'day') }}) <= {{ days }}
{%- endmacro %}

{#
  Whether a reference says so much that a customer by another name is no doubt, where the figures agree as well: four characters
  at least, and within the hop's days.
#}
{% macro is_telling(referring, predecessor) -%}
    length({{ referring }}.sought_token) >= 4
    and {{ within_days(predecessor ~ '.document_date', referring ~ '.document_date', referring ~ '.figures_days') }}
{%- endmacro %}
