{#
  Current links, as a table of their own: raw has no index by document, and a changed payment has to find its links.
  A link that is gone stays as a row with is_deleted, so that replacing by key removes it.
#}
{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key=['connection', 'record_key'],
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'record_key'], 'unique': true},
        {'columns': ['connection', 'nextdoc']},
        {'columns': ['connection', 'previousdoc']}
    ]
) }}

with current_links as (
    select * from {{ source('netsuite', 'netsuite__nexttransactionlink') }}
    where _superseded_batch is null
),

{% if is_partial() -%}
changed as (
    select distinct _connection, _key
    from {{ source('netsuite', 'netsuite__nexttransactionlink') }}
    where {{ landed_since_last_build() }}
)
{%- else -%}
    changed as (
        select
            _connection,
            _key
        from current_links
        where not _is_deleted
    )
{%- endif %}

select
    changed._connection as connection,
    changed._key as record_key,
    link.previousdoc,
    link.previousline,
    link.previoustype,
    link.nextdoc,
    link.nextline,
    link.nexttype,
    link.linktype,
    link.foreignamount,
    coalesce(link._is_deleted, true) as is_deleted,
    link.previousdate,
    link.nextdate,
    link._modified_at as modified_at,
    link._batch_id as batch_id
from changed
left join current_links as link on changed._connection = link._connection and changed._key = link._key
