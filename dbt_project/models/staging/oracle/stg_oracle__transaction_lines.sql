{#
  Lines of invoices and credit memos in one form: what is sold, its tax, its freight. In the transaction's own sign: what
  a credit memo takes back is negative. Some pods tell a credit memo's lines as magnitudes: the caller compares with the
  header.
#}
select
    connection,
    customertransactionid as transaction_id,
    customertransactionlineid as line_id,
    'item' as line_kind,
    itemnumber,
    unitofmeasure,
    salesorder,
    accountingrule,
    warehouse,
    'oracle__receivablesinvoicelines' as source_table,
    record_key,
    linenumber as line_number,
    quantity,
    lineamount as amount,
    rulestartdate as service_start_date,
    ruleenddate as service_end_date,
    batch_id
from {{ ref('base_oracle__receivablesinvoicelines') }}
union all
select
    connection,
    customertransactionid,
    customertransactionlineid || '-' || taxratecode,
    'tax',
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    'oracle__receivablesinvoicetaxlines',
    record_key,
    cast(null as integer),
    cast(null as numeric),
    taxamount,
    cast(null as date),
    cast(null as date),
    batch_id
from {{ ref('base_oracle__receivablesinvoicetaxlines') }}
union all
select
    connection,
    customertransactionid,
    customertransactionlineid,
    'item',
    itemnumber,
    unitofmeasure,
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    'oracle__receivablescreditmemolines',
    record_key,
    linenumber,
    linequantitycredit,
    lineamountcredit,
    cast(null as date),
    cast(null as date),
    batch_id
from {{ ref('base_oracle__receivablescreditmemolines') }}
union all
select
    connection,
    customertransactionid,
    customertransactionlineid || '-freight',
    'freight',
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    cast(null as {{ dbt.type_string() }}),
    'oracle__receivablescreditmemolines',
    record_key,
    linenumber,
    cast(null as numeric),
    linefreightcreditamount,
    cast(null as date),
    cast(null as date),
    batch_id
from {{ ref('base_oracle__receivablescreditmemolines') }}
where linefreightcreditamount <> 0
union all
select
    line.connection,
    line.racustomertrxlinecustomertrxid,
    line.record_key as line_id,
    case line.racustomertrxlinelinetype when 'TAX' then 'tax' when 'FREIGHT' then 'freight' else 'item' end,
    item.itemnumber,
    line.racustomertrxlineuomcode,
    line.racustomertrxlinesalesorder,
    line.racustomertrxlineaccountingruleid,
    cast(null as {{ dbt.type_string() }}),
    'oracle__transactionline',
    line.record_key,
    line.racustomertrxlinelinenumber,
    coalesce(line.racustomertrxlinequantityinvoiced, line.racustomertrxlinequantitycredited),
    line.racustomertrxlineextendedamount,
    cast(null as date),
    cast(null as date),
    line.batch_id
from {{ ref('base_oracle__transactionline') }} as line
left join (
    select
        connection,
        itemid,
        min(itemnumber) as itemnumber
    from {{ ref('base_oracle__itemsv2') }}
    group by connection, itemid
) as item on line.connection = item.connection and line.racustomertrxlineinventoryitemid = item.itemid
