{#
  A document or PO reference as people mean it: capitals, no punctuation, and of a number neither the word before it nor
  its leading zeros. 'PO-00012345', '0001 2345' and 'order 12345' are one token; 'A12B' stays 'A12B'.
#}
{% macro reference_token(value) -%}
    {%- set bare = "upper(" ~ regex_replace(value, '[^A-Za-z0-9]', '') ~ ")" -%}
    {%- set digits = regex_replace(bare, '^[A-Z]+', '') -%}
    nullif(
        case
            when {{ regex_replace(digits, '[0-9]', '') }} = '' and {{ digits }} <> ''
                then {{ regex_replace(digits, '^0+', '') }}
            else {{ bare }}
        end, ''
    )
{%- endmacro %}
