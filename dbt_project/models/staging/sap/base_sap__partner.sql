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
