{# What SAP's own forms mean, for the models of staging/sap. #}

{# A number without the zeros it is kept with (conversion exit ALPHA): '0000004711' and '4711' are one; 'C-100' stays. '' is NULL. #}
{% macro sap_number(value) -%}
    case
        when translate({{ value }}, '0123456789', '') = '' and {{ value }} <> ''
            then coalesce(nullif(trim(leading '0' from {{ value }}), ''), '0')
        else nullif(trim({{ value }}), '')
    end
{%- endmacro %}

{# The id of an accounting document: its number means something beside its company code and year only. #}
{% macro sap_ledger_id(company_code, number, fiscal_year) -%}
    {{ company_code }} || '/' || {{ sap_number(number) }} || '/' || {{ fiscal_year }}
{%- endmacro %}

{# A blank text is NULL: ABAP knows no other. #}
{% macro sap_text(value) -%}
    nullif(trim({{ value }}), '')
{%- endmacro %}

{# An amount of a CURR column: kept as if its currency had two decimals; TCURX says how many it has. `decimals` NULL: two. #}
{% macro sap_amount(amount, decimals) -%}
    {{ amount }} * case {{ decimals }} when 0 then 100 when 1 then 10 when 3 then 0.1 when 4 then 0.01 when 5 then 0.001 else 1 end
{%- endmacro %}

{# A day of TCURR as a date: it is kept as 99999999 less YYYYMMDD, so that the youngest comes first. #}
{% macro sap_inverted_date(gdatu) -%}
    {%- set told = 'cast(99999999 - cast(' ~ gdatu ~ ' as integer) as ' ~ dbt.type_string() ~ ')' -%}
    cast(substring({{ told }}, 1, 4) || '-' || substring({{ told }}, 5, 2) || '-' || substring({{ told }}, 7, 2) as date)
{%- endmacro %}

{# The day of a stamp YYYYMMDDhhmmss; NULL where none is told (zeros, blanks, nothing). #}
{% macro sap_stamped_date(stamp) -%}
    case
        when {{ stamp }} between '19000101' and '99991232'
            then cast(substring({{ stamp }}, 1, 4) || '-' || substring({{ stamp }}, 5, 2) || '-' || substring({{ stamp }}, 7, 2) as date)
    end
{%- endmacro %}
