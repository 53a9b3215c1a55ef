{#
  Marts are versioned by run. A version is valid for a publication p when recorded_run <= p < superseded_run.

  A model with `incremental_strategy='versioned'` yields candidate rows for what it touched. Against the current
  versions (superseded_run = open_run()):
    same key, same row_hash   left alone
    same key, other row_hash  closed (superseded_run = this run), and the candidate is inserted
    no current version        inserted
    current, in scope, absent closed
  Config:
    unique_key      the key column
    scope           'all': everything not among the candidates is gone;
                    'document': only rows with the same values in `scope_columns` (default connection, document_id)
    scope_model     the model that lists the touched scope values, so that a document without any row left is closed too
                    (default: the values among the candidates)
    lookups         columns by which other models look up current rows: each gets an index; 'a, b where c' is one
                    of both and of such rows
    hash_exclude    columns that say where a row came from, not what it says: a change in them is no new version
  With previous_batch_id = -1 every scope is 'all'. Never drops history: `full_refresh` is false for these models.
#}

{% macro open_run() -%}9223372036854775807{%- endmacro %}

{% macro version_columns() -%}
    {{ return(['recorded_run', 'superseded_run', 'row_hash']) }}
{%- endmacro %}

{# The columns of the model being built, as its properties declare them, without the version columns. #}
{% macro declared_columns() -%}
    {%- set columns = [] -%}
    {%- for column in model.columns.values() if column.name not in version_columns() -%}
        {%- if not column.data_type -%}
            {{ exceptions.raise_compiler_error(model.name ~ "." ~ column.name ~ ": a versioned model declares the data_type of every column") }}
        {%- endif -%}
        {%- do columns.append(column) -%}
    {%- endfor -%}
    {%- if not columns -%}
        {{ exceptions.raise_compiler_error(model.name ~ ": a versioned model declares its columns in its properties") }}
    {%- endif -%}
    {{ return(columns) }}
{%- endmacro %}

{# The last select of a versioned model: the declared columns of `source`, cast to their types, and the version columns. #}
{% macro versioned(source) -%}
{%- if model.resource_type == 'unit_test' -%}
{#- A unit test does not see the properties of the model that it tests: the rows as they are. -#}
select * from {{ source }}
{%- elif execute -%}
{%- set columns = declared_columns() -%}
select
    {% for column in columns %}candidate.{{ column.name }},
    {% endfor -%}
    cast({{ var('run_id') }} as bigint) as recorded_run,
    cast({{ open_run() }} as bigint) as superseded_run,
    {{ row_digest(columns | map(attribute='name') | reject('in', config.get('hash_exclude', [])) | list) }} as row_hash
from (
    select
        {% for column in columns %}cast({{ column.name }} as {{ column.data_type }}) as {{ column.name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from {{ source }}
    {{ computed_once() }}
) as candidate
{%- else -%}
select * from {{ source }}
{%- endif -%}
{%- endmacro %}

{# The current rows of a versioned model, for `from` and `join`. In a unit test: the fixture as given. #}
{% macro ref_current(name) -%}
    {%- set relation = ref(name) -%}
    {%- if model.resource_type == 'unit_test' -%}
        {{ relation }}
    {%- else -%}
        (select * from {{ relation }} where superseded_run = {{ open_run() }})
    {%- endif -%}
{%- endmacro %}

{# Rows of a versioned model that were recorded or closed after the last good build. #}
{% macro ref_changed(name) -%}
    (select * from {{ ref(name) }} where {{ changed_since_last_build() }})
{%- endmacro %}

{#
  The rows of a relation that the last good build left: those that still stand, and those that were closed since.
  `among`: a condition on them. It stands in both parts, since no index serves both: a join from outside would read all.
#}
{% macro rows_before(relation, among='1 = 1') -%}
    (
        select * from {{ relation }}
        where superseded_run = {{ open_run() }} and recorded_run <= {{ var('previous_run_id') | int }} and {{ among }}
        union all
        select * from {{ relation }}
        where
            superseded_run > {{ var('previous_run_id') | int }}
            and superseded_run < {{ open_run() }}
            and recorded_run <= {{ var('previous_run_id') | int }}
            and {{ among }}
    )
{%- endmacro %}

{% macro ref_before(name, among='1 = 1') -%}{{ rows_before(ref(name), among) }}{%- endmacro %}

{#
  The rows of a versioned model by which sums differ from those of the last good build, with `weight` 1 for what came and
  -1 for what went. Sum amount * weight and add it to the sums of then. A complete build sums everything: all rows came.
#}
{% macro ref_difference(name) -%}
    {%- set relation = ref(name) -%}
    {%- if not is_partial() -%}
    (select found.*, 1 as weight from {{ ref_current(name) }} as found)
    {%- else -%}
    {#- What an abandoned run recorded and a later one closed was in neither sum. -#}
    (
        select came.*, 1 as weight from {{ relation }} as came
        where came.recorded_run > {{ var('previous_run_id') | int }} and came.superseded_run = {{ open_run() }}
        union all
        select went.*, -1 as weight from {{ relation }} as went
        where
            went.superseded_run > {{ var('previous_run_id') | int }}
            and went.superseded_run < {{ open_run() }}
            and went.recorded_run <= {{ var('previous_run_id') | int }}
    )
    {%- endif -%}
{%- endmacro %}

{#
  A table as the build before left it, for a model that is made earlier in the same build: no dependency, since that would
  be a circle. Only in a partial build, where the table exists.
#}
{% macro left_behind(name) -%}
    {%- if execute -%}
        {%- set found = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('name', 'equalto', name) | first -%}
        {{ api.Relation.create(database=found.database, schema=found.schema, identifier=found.alias) }}
    {%- else -%}
        {{ name }}
    {%- endif -%}
{%- endmacro %}

{# The rows that were current there, for `from` and `join`. #}
{% macro left_current(name) -%}
    (select * from {{ left_behind(name) }} where superseded_run = {{ open_run() }})
{%- endmacro %}

{# Whether this build looks at what changed alone: for tables that hold nothing but what the build works on. #}
{% macro is_partial_build() -%}
    {{ return(var('previous_batch_id') | int >= 0 and model.resource_type != 'unit_test') }}
{%- endmacro %}

{# True where a model may restrict itself to what was touched since the last build. #}
{% macro is_partial() -%}
    {{ return(is_incremental() and var('previous_batch_id') | int >= 0) }}
{%- endmacro %}

{% macro get_incremental_versioned_sql(arg_dict) -%}
    {{ return(adapter.dispatch('versioned_sql')(arg_dict)) }}
{%- endmacro %}

{% macro default__versioned_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set candidate = arg_dict['temp_relation'] -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set run_id = var('run_id') | int -%}
    {%- set scope = config.get('scope', 'all') -%}
    {%- set scope_columns = config.get('scope_columns', ['connection', 'document_id']) -%}
    {%- set scope_model = config.get('scope_model', none) -%}
    {%- if key is not string -%}
        {{ exceptions.raise_compiler_error(target.identifier ~ ": a versioned model has one unique_key column") }}
    {%- endif -%}
    {%- if scope not in ['all', 'document'] -%}
        {{ exceptions.raise_compiler_error(target.identifier ~ ": scope is 'all' or 'document', not '" ~ scope ~ "'") }}
    {%- endif -%}
    {%- if var('previous_batch_id') | int < 0 -%}{%- set scope = 'all' -%}{%- endif %}
    analyze {{ candidate }};

    -- Changed: the key stands, its row says something else.
    update {{ target }} as stored
    set superseded_run = {{ run_id }}
    from {{ candidate }} as candidate
    where
        stored.superseded_run = {{ open_run() }}
        and stored.{{ key }} = candidate.{{ key }}
        and stored.row_hash <> candidate.row_hash;

    -- Gone: in scope, and no longer among the candidates.
    update {{ target }} as stored
    set superseded_run = {{ run_id }}
    {% if scope == 'document' -%}
    from (
        select distinct {{ scope_columns | join(', ') }}
        from {{ ref(scope_model) if scope_model else candidate }}
    ) as touched
    {% endif -%}
    where
        stored.superseded_run = {{ open_run() }}
        {% if scope == 'document' -%}
        {% for column in scope_columns %}and stored.{{ column }} = touched.{{ column }}
        {% endfor -%}
        {% endif -%}
        and not exists (select 1 from {{ candidate }} as candidate where candidate.{{ key }} = stored.{{ key }});

    -- A repeated run replaces what it recorded itself: such a version was never published.
    delete from {{ target }} where recorded_run = {{ run_id }} and superseded_run = {{ run_id }};

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ candidate }} as candidate
    where not exists (
        select 1
        from {{ target }} as stored
        where stored.superseded_run = {{ open_run() }} and stored.{{ key }} = candidate.{{ key }}
    )
    {%- if scope == 'document' %};

    {{ tell_planner_of_run(target) }}
    {%- endif %}
{%- endmacro %}

{# One current version of a key; the scope of a document; what a run recorded and closed. Runs after every build. #}
{% macro versioned_indexes() -%}
    {%- if config.get('incremental_strategy') == 'versioned' -%}
        {{ return(adapter.dispatch('versioned_indexes')()) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__versioned_indexes() -%}{%- endmacro %}

{% macro postgres__versioned_indexes() -%}
    {%- set name = this.identifier -%}
    create unique index if not exists {{ name }}__current on {{ this }} ({{ config.get('unique_key') }}) where superseded_run = {{ open_run() }};
    create index if not exists {{ name }}__recorded on {{ this }} (recorded_run);
    create index if not exists {{ name }}__superseded on {{ this }} (superseded_run) where superseded_run < {{ open_run() }};
    {%- if config.get('scope') == 'document' %}
    create index if not exists {{ name }}__scope on {{ this }} ({{ config.get('scope_columns', ['connection', 'document_id']) | join(', ') }}) where superseded_run = {{ open_run() }};
    {%- endif %}
    {#- Servers that cannot be told how many rows a build changed sample some thousand, whatever the history. #}
    alter table {{ this }} alter column recorded_run set statistics 20, alter column superseded_run set statistics 20;
    {%- for lookup in config.get('lookups', []) %}
    {%- set columns, _, condition = lookup.partition(' where ') %}
    create index if not exists {{ name }}__by_{{ columns | replace(', ', '__') }} on {{ this }} ({{ columns }}) where superseded_run = {{ open_run() }}{{ ' and ' ~ condition if condition }};
    {%- endfor %}
{%- endmacro %}
