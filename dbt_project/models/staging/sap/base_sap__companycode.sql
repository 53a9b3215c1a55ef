select
    _connection as connection,
    _key as record_key,
    companycode as id,
    {{ sap_text('companycodename') }} as name,
    {{ sap_text('country') }} as country,
    {{ sap_text('currency') }} as currency,
    {{ sap_text('company') }} as company,
    {{ sap_text('fiscalyearvariant') }} as fiscal_year_variant,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_companycode') }}
where _superseded_batch is null and not _is_deleted
