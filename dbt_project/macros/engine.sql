{#
  What differs between engines. Models call these and nothing that only one engine knows.
#}

{# A surrogate key: md5 of the columns as text, joined by '|', NULL as ''. #}
{% macro hash_key(columns) -%}
    {{ return(adapter.dispatch('hash_key')(columns)) }}
{%- endmacro %}

{% macro default__hash_key(columns) -%}
    md5({% for column in columns %}coalesce(cast({{ column }} as {{ dbt.type_string() }}), ''){% if not loop.last %} || '|' || {% endif %}{% endfor %})
{%- endmacro %}

{# A hash over whole rows, to tell whether a version changed. NULL and '' differ. #}
{% macro row_digest(columns) -%}
    {{ return(adapter.dispatch('row_digest')(columns)) }}
{%- endmacro %}

{% macro default__row_digest(columns) -%}
    md5({% for column in columns %}coalesce(cast({{ column }} as {{ dbt.type_string() }}), '~'){% if not loop.last %} || '|' || {% endif %}{% endfor %})
{%- endmacro %}

{# Not the server's own hash of a record, at a third of the price: an amount and its negative have the same. #}
{% macro postgres__row_digest(columns) -%}
    md5(cast(row({{ columns | join(', ') }}) as text))
{%- endmacro %}

{# An amount rounded to `digits` decimals (ISO 4217 minor units), half away from zero. #}
{% macro round_minor(amount, digits) -%}
    {{ return(adapter.dispatch('round_minor')(amount, digits)) }}
{%- endmacro %}

{% macro default__round_minor(amount, digits) -%}
    round({{ amount }}, {{ digits }})
{%- endmacro %}

{# 'YYYY-MM' of a date. #}
{% macro period_of(date) -%}
    {{ return(adapter.dispatch('period_of')(date)) }}
{%- endmacro %}

{% macro default__period_of(date) -%}
    substring(cast({{ date }} as {{ dbt.type_string() }}) from 1 for 7)
{%- endmacro %}

{% macro spark__period_of(date) -%}
    date_format({{ date }}, 'yyyy-MM')
{%- endmacro %}

{# The day of an instant where the clock stands in `zone`; UTC where nobody says a zone. #}
{% macro local_day(instant, zone) -%}
    {{ return(adapter.dispatch('local_day')(instant, zone)) }}
{%- endmacro %}

{% macro default__local_day(instant, zone) -%}
    cast({{ instant }} at time zone coalesce({{ zone }}, 'UTC') as date)
{%- endmacro %}

{% macro spark__local_day(instant, zone) -%}
    cast(from_utc_timestamp({{ instant }}, coalesce({{ zone }}, 'UTC')) as date)
{%- endmacro %}

{# A text member of a JSON object. #}
{% macro json_text(document, member) -%}
    {{ return(adapter.dispatch('json_text')(document, member)) }}
{%- endmacro %}

{% macro default__json_text(document, member) -%}
    ({{ document }} ->> '{{ member }}')
{%- endmacro %}

{% macro spark__json_text(document, member) -%}
    get_json_object({{ document }}, '$.{{ member }}')
{%- endmacro %}

{# Replace every match of a regular expression. `pattern` and `replacement` are plain texts. #}
{% macro regex_replace(value, pattern, replacement) -%}
    {{ return(adapter.dispatch('regex_replace')(value, pattern, replacement)) }}
{%- endmacro %}

{% macro default__regex_replace(value, pattern, replacement) -%}
    regexp_replace({{ value }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}

{% macro postgres__regex_replace(value, pattern, replacement) -%}
    regexp_replace({{ value }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{# One row per day, both ends included; column `date_day`. Ends are SQL expressions of type date. #}
{% macro days_between(first_day, last_day) -%}
    {{ return(adapter.dispatch('days_between')(first_day, last_day)) }}
{%- endmacro %}

{% macro default__days_between(first_day, last_day) -%}
    select cast(day as date) as date_day
    from generate_series(cast({{ first_day }} as timestamp), cast({{ last_day }} as timestamp), interval '1 day') as series (day)
{%- endmacro %}

{% macro spark__days_between(first_day, last_day) -%}
    select explode(sequence(cast({{ first_day }} as date), cast({{ last_day }} as date))) as date_day
{%- endmacro %}

{# Settings of the session in which a table is built. #}
{% macro session_settings() -%}
    {{ return(adapter.dispatch('session_settings')()) }}
{%- endmacro %}

{% macro default__session_settings() -%}{%- endmacro %}

{#
  jit costs more than it saves; views of views need the planner to see through more than eight joins. A partial build looks
  few rows up in what was written a moment ago: at the default price of a random page it would read the history instead.
#}
{% macro postgres__session_settings() -%}
    set jit = off; set work_mem = '64MB'; set join_collapse_limit = 12; set from_collapse_limit = 12; set enable_nestloop = on
    {%- if is_partial_build() %}; set random_page_cost = 1.1{% endif %}
{%- endmacro %}

{#
  For a model whose joins are of what it has just computed: the planner takes that for a row or two, and would try each
  row with each.
#}
{% macro joined_by_hash() -%}
    {{ return(adapter.dispatch('joined_by_hash')()) }}
{%- endmacro %}

{% macro default__joined_by_hash() -%}{%- endmacro %}

{% macro postgres__joined_by_hash() -%}
    set enable_nestloop = off
{%- endmacro %}

{#
  At the end of a select whose columns are computed and then used more than once: the planner would put each expression
  wherever its column is named, and compute it there again.
#}
{% macro computed_once() -%}
    {{ return(adapter.dispatch('computed_once')()) }}
{%- endmacro %}

{% macro default__computed_once() -%}{%- endmacro %}

{% macro postgres__computed_once() -%}
    offset 0
{%- endmacro %}

{#
  A join of the few rows that a partial build works on to what was written before, by an index, whatever the planner thinks
  of how many they are: it knows nothing of what a step before has just found, nor of a union of systems, and would read
  the history instead. `name` stands for the relation in the condition and afterwards; `kind`: inner or left.
#}
{% macro look_up(relation, name, condition, kind='inner') -%}
    {{ return(adapter.dispatch('look_up')(relation, name, condition, kind)) }}
{%- endmacro %}

{% macro default__look_up(relation, name, condition, kind) -%}
    {{ kind }} join {{ relation }} as {{ name }} on {{ condition }}
{%- endmacro %}

{% macro postgres__look_up(relation, name, condition, kind) -%}
    {% if is_partial_build() -%}
        {{ kind }} join lateral (select * from {{ relation }} as {{ name }} where {{ condition }} offset 0) as {{ name }} on true
    {%- else -%}
        {{ default__look_up(relation, name, condition, kind) }}
    {%- endif %}
{%- endmacro %}

{# A quoted SQL text. #}
{% macro literal(value) -%}
    {%- if value is none -%}cast(null as {{ dbt.type_string() }}){%- else -%}'{{ value | string | replace("'", "''") }}'{%- endif -%}
{%- endmacro %}

{#
  How much this run recorded and closed in a versioned table: a planner that takes it for nothing joins it to the rest row by
  row. Counted by the indexes and told as statistics; a sample would read thousands of pages of a table in which hundreds changed.
  Engines that take no statistics (Postgres before 18) sample.
#}
{% macro tell_planner_of_run(target) -%}
    {{ return(adapter.dispatch('tell_planner_of_run')(target)) }}
{%- endmacro %}

{% macro default__tell_planner_of_run(target) -%}
    select 1
{%- endmacro %}

{% macro postgres__tell_planner_of_run(target) -%}
    {%- set run_id, before = var('run_id') | int, var('previous_run_id') | int -%}
    do $tell$
    declare
        everything real;
        part real;
    begin
        if current_setting('server_version_num')::integer < 180000 then
            analyze {{ target }} (recorded_run, superseded_run);
            return;
        end if;
        select greatest(reltuples, 1) into everything from pg_class where oid = '{{ target }}'::regclass;
        {% for column, standing in [('recorded_run', before), ('superseded_run', open_run())] -%}
        select least(count(*) / everything, 1) into part from {{ target }} where {{ column }} = {{ run_id }};
        perform pg_restore_attribute_stats(
            'schemaname', {{ literal(target.schema) }}, 'relname', {{ literal(target.identifier) }},
            'attname', '{{ column }}', 'inherited', false, 'null_frac', 0::real, 'avg_width', 8,
            'n_distinct', case when part > 0 then 2 else 1 end::real,
            'most_common_vals', case when part > 0 then '{ {{- standing }},{{ run_id -}} }' else '{ {{- standing -}} }' end,
            'most_common_freqs', case when part > 0 then array[1 - part, part] else array[1] end::real[]);
        {% endfor -%}
    end
    $tell$
{%- endmacro %}

{# Statistics of what was just built: without them the next model is planned blindly. A partial change needs none. #}
{% macro analyze_when_new() -%}
    {{ return(adapter.dispatch('analyze_when_new')()) }}
{%- endmacro %}

{% macro default__analyze_when_new() -%}{%- endmacro %}

{% macro postgres__analyze_when_new() -%}
    {%- if config.get('materialized') != 'view' and not is_incremental() -%}
        analyze {{ this }}
    {%- endif -%}
{%- endmacro %}
