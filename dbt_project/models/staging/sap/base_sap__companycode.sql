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

union all

select
    company._connection as connection,
    company._key as record_key,
    company.bukrs as id,
    {{ sap_text('company.butxt') }} as name,
    {{ sap_text('company.land1') }} as country,
    {{ sap_text('company.waers') }} as currency,
    cast(null as {{ dbt.type_string() }}) as company,
    {{ sap_text('company.periv') }} as fiscal_year_variant,
    company._modified_at as modified_at,
    company._batch_id as batch_id
from {{ source('sap', 'sap_tables__t001') }} as company
where company._superseded_batch is null and not company._is_deleted
