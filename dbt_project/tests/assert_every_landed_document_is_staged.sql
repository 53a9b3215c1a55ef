-- No header is lost between raw and staging, and none survives its deletion: incremental tables hold what is current.
with landed as (
    select
        _connection as connection,
        id as document_id
    from {{ source('netsuite', 'netsuite__transaction') }}
    where _superseded_batch is null and not _is_deleted
    union all
    select
        _connection as connection,
        id as document_id
    from {{ source('salesforce', 'salesforce__opportunity') }}
    where _superseded_batch is null and not _is_deleted and iswon
    union all
    select
        _connection as connection,
        id as document_id
    from {{ source('salesforce', 'salesforce__order') }}
    where _superseded_batch is null and not _is_deleted
)

select
    coalesce(landed.connection, staged.connection) as connection,
    coalesce(landed.document_id, staged.document_id) as document_id,
    case when staged.document_id is null then 'not staged' else 'not landed' end as problem
from landed
full outer join {{ ref('int_documents__unioned') }} as staged
    on landed.connection = staged.connection and landed.document_id = staged.document_id
where landed.document_id is null or staged.document_id is null
