select
    _connection as connection,
    _key as record_key,
    {{ sap_number('customer') }} as id,
    {{ sap_text('customername') }} as name,
    {{ sap_number('customercorporategroup') }} as corporate_group,
    {{ sap_text('vatregistration') }} as vat_registration,
    {{ sap_text('taxnumber1') }} as tax_number,
    coalesce(postingisblocked, false) as is_blocked,
    coalesce(deletionindicator, false) as is_deleted,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_customer') }}
where _superseded_batch is null and not _is_deleted
