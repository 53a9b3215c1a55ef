{#
  On a staging model of documents: no header is lost between raw and staging, and none survives its deletion, so that what
  is kept by increments holds what is current.
    system   whose
    headers  {stream, id: SQL over the landed row, where: which of them are documents}
    unless   staged documents without a header of their own
#}
{% test every_header_is_staged(model, system, headers, unless='false') %}
with landed as (
    {% for header in headers -%}
    select
        _connection as connection,
        {{ header.id }} as document_id
    from {{ source(system, header.stream) }}
    where _superseded_batch is null and not _is_deleted and {{ header.get('where', 'true') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

staged as (
    select
        connection,
        document_id
    from {{ model }}
    where not ({{ unless }})
)

select
    coalesce(landed.connection, staged.connection) as connection,
    coalesce(landed.document_id, staged.document_id) as document_id,
    case when staged.document_id is null then 'not staged' else 'not landed' end as problem
from landed
full outer join staged on landed.connection = staged.connection and landed.document_id = staged.document_id
where landed.document_id is null or staged.document_id is null
{% endtest %}
