{# Codes that Salesforce sent and no seed maps. #}
with statuses as (
    select
        document.connection,
        'order status' as code_set,
        document.source_status_code as code_value,
        count(*) as document_count
    from {{ ref('stg_salesforce__documents') }} as document
    where document.document_type = 'crm_order' and document.status is null
    group by document.connection, document.source_status_code
),

currencies as (
    select
        document.connection,
        'currency' as code_set,
        document.currency_code as code_value,
        count(*) as document_count
    from {{ ref('stg_salesforce__documents') }} as document
    left join {{ ref('iso_currencies') }} as iso on document.currency_code = iso.currency_code
    where iso.currency_code is null
    group by document.connection, document.currency_code
)

select
    connection,
    code_set,
    code_value,
    document_count
from statuses
union all
select
    connection,
    code_set,
    code_value,
    document_count
from currencies
