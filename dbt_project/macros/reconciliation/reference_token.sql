{#
  A document or PO reference as people mean it: capitals, no punctuation, and of a number neither the word before it nor
  its leading zeros. 'PO-00012345', '0001 2345' and 'order 12345' are one token; 'A12B' stays 'A12B'.
#}
{% macro reference_token(value) -%}
    {%- set letters, figures = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '0123456789' -%}
    {%- set bare = "upper(" ~ regex_replace(value, '[^A-Za-z0-9]', '') ~ ")" -%}
    {%- set word = "rtrim(" ~ bare ~ ", '" ~ figures ~ "')" %}
    nullif(
        case
            when {{ word }} <> {{ bare }} and ltrim({{ word }}, '{{ letters }}') = ''
                then ltrim(ltrim({{ bare }}, '{{ letters }}'), '0')
            else {{ bare }}
        end, ''
    )
{%- endmacro %}
