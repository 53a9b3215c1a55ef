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

union all

select
    customer._connection as connection,
    customer._key as record_key,
    {{ sap_number('customer.kunnr') }} as id,
    {{ sap_text('customer.name1') }} as name,
    {{ sap_number('customer.konzs') }} as corporate_group,
    {{ sap_text('customer.stceg') }} as vat_registration,
    {{ sap_text('customer.stcd1') }} as tax_number,
    coalesce(customer.sperr = 'X', false) as is_blocked,
    coalesce(customer.loevm = 'X', false) as is_deleted,
    customer._modified_at as modified_at,
    customer._batch_id as batch_id
from {{ source('sap', 'sap_tables__kna1') }} as customer
where customer._superseded_batch is null and not customer._is_deleted
