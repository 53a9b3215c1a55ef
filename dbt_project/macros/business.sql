{# Small pieces of business meaning that several models share. #}

{#
  Rows of a versioned model that were recorded or closed after the last good build. None in a complete build, which looks
  at everything anyway.
#}
{% macro changed_since_last_build() -%}
    {%- if var('previous_batch_id') | int < 0 -%}
    1 = 0
    {%- else -%}
    (
        recorded_run > {{ var('previous_run_id') | int }}
        or (superseded_run > {{ var('previous_run_id') | int }} and superseded_run < {{ open_run() }})
    )
    {%- endif -%}
{%- endmacro %}

{# 'crm' or 'erp': which books a connection keeps. #}
{% macro role_of(connection) -%}
    {{ connection_attribute(connection, 'role') }}
{%- endmacro %}

{# Tomorrow's rate is not known: a document dated after the as-of date takes the as-of date's. #}
{% macro rate_day(date) -%}
    case when {{ date }} > cast('{{ var("as_of_date") }}' as date) then cast('{{ var("as_of_date") }}' as date) else {{ date }} end
{%- endmacro %}

{% macro last_day_of_month(date) -%}
    cast({{ dbt.last_day(date, 'month') }} as date)
{%- endmacro %}

{# The legal forms that a name may end with. Longer words first where one begins with the other. #}
{% macro legal_forms() -%}
    {{ return([
        'incorporated', 'inc', 'corporation', 'corp', 'company', 'co', 'limited', 'ltd', 'llc', 'llp', 'lp', 'plc', 'pllc', 'pc',
        'gmbh', 'mbh', 'ag', 'kgaa', 'kg', 'ohg', 'ug', 'ev', 'eg', 'se', 'sarl', 'sas', 'sasu', 'sa', 'snc', 'eurl', 'srl', 'spa', 'sl', 'slu',
        'sapi de cv', 'sa de cv', 'ltda', 'eireli', 'bv', 'nv', 'vof', 'cv', 'bvba', 'sprl', 'oy', 'oyj', 'ab', 'as', 'asa', 'aps', 'ivs', 'hf', 'ehf',
        'doo', 'dd', 'sro', 'spol', 'as', 'kft', 'zrt', 'nyrt', 'spzoo', 'sp z oo', 'ood', 'eood', 'ad', 'ooo', 'oao', 'pao', 'zao',
        'pty', 'pvt', 'private', 'pte', 'bhd', 'sdn', 'tbk', 'kk', 'gk', 'kabushiki kaisha', 'godo kaisha', 'wll', 'ksc', 'kscc', 'kscp', 'bsc', 'fzco',
        'fze', 'fzc', 'fz', 'pjsc', 'psc', 'jsc', 'sti'
    ]) }}
{%- endmacro %}

{#
  A name without what two systems spell differently: case, marks on letters, punctuation, the legal form at the end,
  blanks. 'Müller & Söhne G.m.b.H.' and 'MULLER SOHNE GMBH' are equal; 'AG Insurance' keeps its AG.
#}
{% macro normalised_name(name) -%}
    {%- set marked = 'áàâäãåāăąçćčďđéèêëēėęěğíìîïīįıłľñńňóòôöõøōőřśšşșťţțúùûüūůűųýÿźżž' -%}
    {%- set plain  = 'aaaaaaaaacccddeeeeeeeegiiiiiiillnnnoooooooorsssstttuuuuuuuuyyzzz' -%}
    {%- set lowered = "translate(lower(" ~ name ~ "), '" ~ marked ~ "', '" ~ plain ~ "')" -%}
    {%- set joined = regex_replace(lowered, "[.''’`]", '') -%}
    {%- set spaced = "trim(" ~ regex_replace(joined, '[^[:alnum:]]+', ' ') ~ ")" -%}
    {%- set stripped = regex_replace(spaced, '( (' ~ legal_forms() | unique | join('|') ~ '))+$', '') -%}
    coalesce({{ stripped }}, '')
{%- endmacro %}

{# Rows of a landed table that came or went after the last build's watermark. #}
{% macro landed_since_last_build() -%}
    (_batch_id > {{ var('previous_batch_id') | int }} or _superseded_batch > {{ var('previous_batch_id') | int }})
{%- endmacro %}

{# The host of a web address, without scheme, www and path. #}
{% macro web_domain(url) -%}
    nullif({{ regex_replace(regex_replace('lower(trim(' ~ url ~ '))', '^([a-z]+://)?(www[.])?', ''), '[/:?#].*$', '') }}, '')
{%- endmacro %}

{# The host of a mail address; NULL for hosts where anybody has a mailbox. #}
{% macro mail_domain(email) -%}
    {%- set host = regex_replace('lower(trim(' ~ email ~ '))', '^[^@]*@', '') -%}
    case
        when {{ host }} in (
            'gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'yahoo.com', 'icloud.com', 'me.com',
            'aol.com', 'gmx.de', 'gmx.net', 'web.de', 't-online.de', 'proton.me', 'protonmail.com', 'mail.com', 'qq.com', '163.com'
        ) then null
        else nullif({{ host }}, '')
    end
{%- endmacro %}

{# A country as two letters: what the seed knows by name or code, else two letters as they are. #}
{% macro country_code(told, looked_up) -%}
    coalesce({{ looked_up }}, case when length(trim({{ told }})) = 2 then upper(trim({{ told }})) end)
{%- endmacro %}

{# Our code of a parent entity; NULL for the top. #}
{% macro parent_entity(connection, source_id) -%}
    case when {{ source_id }} is not null then {{ legal_entity(connection, source_id) }} end
{%- endmacro %}
