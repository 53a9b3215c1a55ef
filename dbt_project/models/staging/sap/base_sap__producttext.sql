select
    _connection as connection,
    _key as record_key,
    {{ sap_number('product') }} as product_id,
    language,
    {{ sap_text('productdescription') }} as name,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_productdescription') }}
where _superseded_batch is null and not _is_deleted

union all

select
    _connection as connection,
    min(_key) as record_key,
    {{ sap_number('matnr') }} as product_id,
    'EN' as language,
    min({{ sap_text('arktx') }}) as name,
    max(_modified_at) as modified_at,
    max(_batch_id) as batch_id
from {{ source('sap', 'sap_tables__vbap') }}
where _superseded_batch is null and not _is_deleted and matnr <> ''
group by _connection, {{ sap_number('matnr') }}
