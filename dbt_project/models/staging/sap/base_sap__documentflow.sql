select
    flow._connection as connection,
    flow._key as record_key,
    {{ sap_number('flow.vbelv') }} as from_id,
    nullif({{ sap_number('flow.posnv') }}, '0') as from_line_id,
    {{ sap_text('flow.vbtyp_v') }} as from_category_code,
    {{ sap_number('flow.vbeln') }} as to_id,
    nullif({{ sap_number('flow.posnn') }}, '0') as to_line_id,
    {{ sap_text('flow.vbtyp_n') }} as to_category_code,
    flow._modified_at as modified_at,
    flow._batch_id as batch_id
from {{ source('sap', 'sap_tables__vbfa') }} as flow
where flow._superseded_batch is null and not flow._is_deleted
