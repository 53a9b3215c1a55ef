{# What the staging models of all systems share: a system adds words, not SQL. #}

{#
  Documents of which anything that was landed changed since the last build. All of them in a complete build.
    headers  streams of one document a row, {stream, where: a condition on its base model, type: the column that decides
             the document's type, prefix: what makes its key a document's id, where several streams have the same keys}
    parts    (stream, column with the document's key, prefix if any): lines, ledger rows, both ends of links
    namers   (staging model, column with the id of the document that it names): what follows from a document is staged
             with the other's key and type, so it is looked at again when that one came, went or became another type. Without
             `type`, and after a build that was abandoned or repeated, it is whenever that one changed.
#}
{% macro documents_touched(system, headers, parts, namers) -%}
{%- set references = ref('stg_' ~ system ~ '__references') -%}
{%- set bases = [] -%}
{%- for header in headers -%}{%- do bases.append(ref('base_' ~ header.stream)) -%}{%- endfor -%}
{%- if not is_partial_build() -%}
    {% for header in headers -%}
    select connection, {{ prefixed(header.prefix, 'record_key') }} as document_id
    from {{ bases[loop.index0] }}
    {% if header.where %}where {{ header.where }}{% endif %}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
-- depends on: {{ references }}, so that both kinds of build have the same graph
{%- else -%}
with headers as (
    {% for header in headers -%}
    select
        landed._connection as connection,
        {{ prefixed(header.prefix, 'landed._key') }} as document_id,
        {% if header.type and var('follows_directly') -%}
        max(case when staged.document_id is null then '' else coalesce(staged.source_type_code, '?') end)
        <> max(case when present.record_key is null then '' else coalesce(present.{{ header.type }}, '?') end) as is_another
        {%- else -%}
        true as is_another
        {%- endif %}
    from {{ source(system, header.stream) }} as landed
    {% if header.type and var('follows_directly') -%}
    left join {{ left_behind('stg_' ~ system ~ '__documents') }} as staged
        on landed._connection = staged.connection and {{ prefixed(header.prefix, 'landed._key') }} = staged.document_id
    left join {{ bases[loop.index0] }} as present
        on landed._connection = present.connection and landed._key = present.record_key
    {%- endif %}
    where
        landed._batch_id > {{ var('previous_batch_id') | int }}
        or landed._superseded_batch > {{ var('previous_batch_id') | int }}
    group by landed._connection, landed._key
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

meaning_changed as (
    select distinct connection
    from {{ references }}
    where superseded_run > {{ var('previous_run_id') | int }} and superseded_run < {{ open_run() }}
)

select connection, document_id from headers
{% for part in parts -%}
union
select _connection, {{ prefixed(part[2] if part | length > 2 else '', part[1]) }}
from {{ source(system, part[0]) }}
where {{ landed_since_last_build() }} and {{ part[1] }} is not null
{% endfor -%}
{% for namer, column in namers -%}
union
select namer.connection, namer.document_id
from headers
inner join {{ left_behind(namer) }} as namer
    on headers.connection = namer.connection and headers.document_id = namer.{{ column }}
where headers.is_another
{% endfor -%}
{% for header in headers -%}
union
select present.connection, {{ prefixed(header.prefix, 'present.record_key') }}
from meaning_changed
inner join {{ bases[loop.index0] }} as present on meaning_changed.connection = present.connection
{% if header.where %}where present.{{ header.where }}{% endif %}
{% endfor -%}
{%- endif -%}
{%- endmacro %}

{# A key of a table as a document's id. #}
{% macro prefixed(prefix, key) -%}
    {%- if prefix %}{{ literal(prefix) }} || {{ key }}{% else %}{{ key }}{% endif -%}
{%- endmacro %}

{#
  The meaning that master data gives to documents, for a versioned model: a build knows when a meaning changed, and looks at
  all documents again. A new account or period changes no document that exists.
    kinds  (kind of master data, base model, columns that give meaning)
#}
{% macro references(kinds) -%}
with meanings as (
    {% for kind, base, columns in kinds -%}
    select
        connection,
        '{{ kind }}' as reference_type,
        id as reference_id,
        {% for column in columns -%}
        coalesce(cast({{ column }} as {{ dbt.type_string() }}), ''){% if not loop.last %} || '|' || {% endif %}
        {%- endfor %} as meaning
    from {{ ref(base) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

keyed as (
    select
        {{ hash_key(['connection', 'reference_type', 'reference_id']) }} as reference_key,
        meanings.*
    from meanings
)

{{ versioned('keyed') }}
{%- endmacro %}

{#
  Codes that a system sent and that no seed maps, counted by connection.
    sets  {name, model, value: an expression over `sent`, map and code: the seed and its column, where: what counts; without
          `map` whatever `where` finds is unmapped}
#}
{% macro codes_unmapped(sets) -%}
{% for found in sets -%}
select
    sent.connection,
    '{{ found.name }}' as code_set,
    {{ found.value }} as code_value,
    count(*) as document_count
from {{ ref(found.model) }} as sent
{% if found.map -%}
left join {{ ref(found.map) }} as map on {{ found.value }} = map.{{ found.code }}
{% endif -%}
where
    {{ found.where or '1 = 1' }}
    {% if found.map %}and map.{{ found.code }} is null{% endif %}
group by sent.connection, {{ found.value }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
{%- endmacro %}

{#
  {connection, as_of_date}: of what is told only as it is now, the day on which any of it was last told to be different. It is
  the source's own day, by the window of the load, and not ours: the as-of date of a run goes by the sources' clocks too, and
  a level of tomorrow would not count. `rows` have connection, batch_id and landed_at.
#}
{% macro days_told(rows) -%}
    select
        told.connection,
        cast(max(coalesce(batch.window_end, told.landed_at)) as date) as as_of_date
    from {{ rows }} as told
    left join {{ source('ops', 'load') }} as batch on told.batch_id = batch.batch_id
    group by told.connection
{%- endmacro %}
