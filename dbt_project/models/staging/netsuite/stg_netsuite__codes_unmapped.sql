{# Codes that NetSuite sent and no seed maps. #}
with types as (
    select
        document.connection,
        'transaction type' as code_set,
        document.source_type_code as code_value,
        count(*) as document_count
    from {{ ref('stg_netsuite__documents') }} as document
    left join {{ ref('map_netsuite_transaction_type') }} as map on document.source_type_code = map.type_code
    where map.type_code is null
    group by document.connection, document.source_type_code
),

-- Only types of which we read the status.
statuses as (
    select
        document.connection,
        'transaction status' as code_set,
        document.source_type_code || ':' || document.source_status_code as code_value,
        count(*) as document_count
    from {{ ref('stg_netsuite__documents') }} as document
    where
        document.status is null
        and document.source_status_code is not null
        and document.source_type_code in (select type_code from {{ ref('map_netsuite_status') }})
    group by document.connection, document.source_type_code, document.source_status_code
),

account_types as (
    select
        account.connection,
        'account type' as code_set,
        account.accttype as code_value,
        count(*) as document_count
    from {{ ref('base_netsuite__account') }} as account
    left join {{ ref('map_netsuite_account_type') }} as map on account.accttype = map.account_type_code
    where map.account_type_code is null and account.accttype is not null
    group by account.connection, account.accttype
),

link_types as (
    select
        link.connection,
        'link type' as code_set,
        link.linktype as code_value,
        count(*) as document_count
    from {{ ref('base_netsuite__nexttransactionlink') }} as link
    left join {{ ref('map_netsuite_link_type') }} as map on link.linktype = map.link_type_code
    where map.link_type_code is null and not link.is_deleted
    group by link.connection, link.linktype
),

currencies as (
    select
        currency.connection,
        'currency' as code_set,
        currency.symbol as code_value,
        count(*) as document_count
    from {{ ref('base_netsuite__currency') }} as currency
    left join {{ ref('iso_currencies') }} as iso on currency.symbol = iso.currency_code
    where iso.currency_code is null
    group by currency.connection, currency.symbol
)

select
    connection,
    code_set,
    code_value,
    document_count
from types
union all
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
from account_types
union all
select
    connection,
    code_set,
    code_value,
    document_count
from link_types
union all
select
    connection,
    code_set,
    code_value,
    document_count
from currencies
