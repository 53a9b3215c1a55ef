select
    _connection as connection,
    _key as record_key,
    {{ sap_number('businesspartner') }} as id,
    {{ sap_number('customer') }} as customer_id,
    {{ sap_text('businesspartnercategory') }} as category_code,
    {{ sap_text('businesspartnername') }} as name,
    {{ sap_text('businesspartnerfullname') }} as full_name,
    {{ sap_text('organizationbpname1') }} as legal_name,
    {{ sap_text('businesspartneridbyextsystem') }} as external_id,
    {{ sap_text('tradingpartner') }} as partner_company,
    coalesce(businesspartnerisblocked, false) as is_blocked,
    coalesce(ismarkedforarchiving, false) as is_archived,
    coalesce(lastchangedate, creationdate) as changed_date,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('sap', 'sap__a_businesspartner') }}
where _superseded_batch is null and not _is_deleted

union all

select
    customer._connection as connection,
    customer._key as record_key,
    {{ sap_number('customer.kunnr') }} as id,
    {{ sap_number('customer.kunnr') }} as customer_id,
    cast(null as {{ dbt.type_string() }}) as category_code,
    {{ sap_text('customer.name1') }} as name,
    trim(customer.name1 || ' ' || coalesce(customer.name2, '')) as full_name,
    {{ sap_text('customer.name1') }} as legal_name,
    cast(null as {{ dbt.type_string() }}) as external_id,
    {{ sap_text('customer.vbund') }} as partner_company,
    coalesce(customer.sperr = 'X', false) as is_blocked,
    false as is_archived,
    customer.erdat as changed_date,
    customer._modified_at as modified_at,
    customer._batch_id as batch_id
from {{ source('sap', 'sap_tables__kna1') }} as customer
where customer._superseded_batch is null and not customer._is_deleted
