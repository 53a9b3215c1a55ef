select
    _connection as connection,
    _key as record_key,
    {{ sap_number('product') }} as id,
    {{ sap_number('product') }} as product_code,
    {{ sap_text('producttype') }} as product_type,
    {{ sap_text('productgroup') }} as family,
    {{ sap_text('baseunit') }} as unit,
    {{ sap_text('productstandardid') }} as gtin,
    coalesce(ismarkedfordeletion, false) as is_deleted,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_product') }}
where _superseded_batch is null and not _is_deleted

union all

select
    _connection as connection,
    min(_key) as record_key,
    {{ sap_number('matnr') }} as id,
    {{ sap_number('matnr') }} as product_code,
    cast(null as {{ dbt.type_string() }}) as product_type,
    cast(null as {{ dbt.type_string() }}) as family,
    min({{ sap_text('vrkme') }}) as unit,
    cast(null as {{ dbt.type_string() }}) as gtin,
    false as is_deleted,
    max(_modified_at) as modified_at,
    max(_batch_id) as batch_id
from {{ source('sap', 'sap_tables__vbap') }}
where _superseded_batch is null and not _is_deleted and matnr <> ''
group by _connection, {{ sap_number('matnr') }}
