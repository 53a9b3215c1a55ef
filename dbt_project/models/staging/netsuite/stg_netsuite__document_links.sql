{#
  What follows from what, inside NetSuite:
    created_from  a line says from which transaction it was made. The id may point to nothing: then from_type is NULL.
    order_bill, payment, …  rows of NextTransactionLineLink (map_netsuite_link_type), with the amount.
#}
{{ config(
    materialized='incremental', incremental_strategy='by_document', touched='stg_netsuite__documents_touched',
    on_schema_change='append_new_columns', pre_hook="{{ session_settings() }}",
    indexes=[
        {'columns': ['connection', 'document_id']}, {'columns': ['connection', 'from_id']},
        {'columns': ['from_document_key']}, {'columns': ['to_document_key']}
    ]
) }}

with created as (
    select distinct
        line.connection,
        line.createdfrom,
        line.transaction
    from {{ ref('base_netsuite__transactionline') }} as line
    {{ join_touched('stg_netsuite__documents_touched', 'line.connection', 'line.transaction') }}
    where line.createdfrom is not null
),

linked as (
    select
        link.*,
        coalesce(kind.link_type, lower(link.linktype)) as link_type
    from {{ ref('base_netsuite__nexttransactionlink') }} as link
    left join {{ ref('map_netsuite_link_type') }} as kind on link.linktype = kind.link_type_code
    {{ join_touched('stg_netsuite__documents_touched', 'link.connection', 'link.nextdoc') }}
    where not link.is_deleted
),

links as (
    select
        connection,
        createdfrom as from_id,
        cast(null as {{ dbt.type_string() }}) as from_line_id,
        transaction as to_id,
        cast(null as {{ dbt.type_string() }}) as to_line_id,
        'created_from' as link_type,
        cast(null as numeric) as amount
    from created
    union all
    select
        connection,
        previousdoc,
        previousline,
        nextdoc,
        nextline,
        link_type,
        abs(foreignamount) as amount
    from linked
),

named as (
    {{ links_of_documents('netsuite') }}
)

{{ select_contract('document_links', 'named') }}
