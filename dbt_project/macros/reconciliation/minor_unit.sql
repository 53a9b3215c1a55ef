{# The smallest amount of a currency with that many decimals (ISO 4217: 0, 2, 3 or 4). Exact, unlike a power of ten. #}
{% macro minor_unit(digits) -%}
    case {{ digits }} when 0 then 1 when 1 then 0.1 when 3 then 0.001 when 4 then 0.0001 else 0.01 end
{%- endmacro %}

{# An amount as a whole number of its currency's minor units; two decimals where the currency is unknown. #}
{% macro in_minor_units(amount, digits) -%}
    cast(round(({{ amount }}) / {{ minor_unit(digits) }}, 0) as {{ dbt.type_bigint() }})
{%- endmacro %}
