-- No header is lost between raw and staging, and none survives its deletion: incremental tables hold what is current. What SAP
-- posted without a billing document is made of items and has no header.
{% set headers = [
    ('netsuite', 'netsuite__transaction', 'id', 'true'),
    ('salesforce', 'salesforce__opportunity', 'id', 'iswon'),
    ('salesforce', 'salesforce__order', 'id', 'true'),
    (
        'health_cloud', 'health_cloud__claim', 'id',
        'status in (select status_code from ' ~ ref('map_health_cloud_claim_status') ~ ' where is_booking)'
    ),
    ('health_cloud', 'health_cloud__clinicalencounter', 'id', 'true'),
    ('sap', 'sap__a_salesorder', sap_number('salesorder'), 'true'),
    ('sap', 'sap__a_outbdeliveryheader', sap_number('deliverydocument'), 'true'),
    ('sap', 'sap__a_billingdocument', sap_number('billingdocument'), 'true')
] | selectattr(0, 'in', var('systems')) | list -%}
with landed as (
    {% for system, stream, document_id, condition in headers -%}
    select
        _connection as connection,
        {{ document_id }} as document_id
    from {{ source(system, stream) }}
    where _superseded_batch is null and not _is_deleted and {{ condition }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

staged as (
    select
        connection,
        document_id
    from {{ ref('int_documents__unioned') }}
    where
        source_system in ({% for header in headers %}'{{ header[0] }}'{% if not loop.last %}, {% endif %}{% endfor %})
        and not (source_system = 'sap' and document_id like '%/%')
)

select
    coalesce(landed.connection, staged.connection) as connection,
    coalesce(landed.document_id, staged.document_id) as document_id,
    case when staged.document_id is null then 'not staged' else 'not landed' end as problem
from landed
full outer join staged on landed.connection = staged.connection and landed.document_id = staged.document_id
where landed.document_id is null or staged.document_id is null
