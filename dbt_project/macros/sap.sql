{# What SAP's own forms mean, for the models of staging/sap. #}

{# A number without the zeros it is kept with (conversion exit ALPHA): '0000004711' and '4711' are one; 'C-100' stays. '' is NULL. #}
{% macro sap_number(value) -%}
    case
        when translate({{ value }}, '0123456789', '') = '' and {{ value }} <> '' then coalesce(nullif(trim(leading '0' from {{ value }}), ''), '0')
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
