{# Documents of sale: all of one form. A document's id says what it is, and its Id, as links name it: Invoice-130. #}
{% macro quickbooks_sales() -%}{{ return(['Invoice', 'SalesReceipt', 'CreditMemo', 'RefundReceipt', 'Estimate']) }}{%- endmacro %}

{# The day's word for what has lines. #}
{% macro quickbooks_documents() -%}{{ return(quickbooks_sales() + ['Payment', 'JournalEntry', 'Deposit']) }}{%- endmacro %}

{# A voided record stays: all of it is zero, and its note says so. Zero alone is a gift. #}
{% macro quickbooks_is_void() -%}
    coalesce(totalamt, 0) = 0 and lower(coalesce(privatenote, '')) like '%voided%'
{%- endmacro %}

{# Current rows of a document of sale. #}
{% macro quickbooks_base_sales(entity) -%}
select
    _connection as connection,
    _key as record_key,
    '{{ entity }}-' || id as document_id,
    '{{ entity }}' as entity,
    id,
    nullif(trim(docnumber), '') as document_number,
    txndate as document_date,
    duedate as due_date,
    customer as customer_id,
    currency as currency_code,
    exchangerate as exchange_rate,
    totalamt as total_amount,
    hometotalamt as home_total_amount,
    balance as balance_amount,
    coalesce(totaltax, 0) as tax_amount,
    globaltaxcalculation as tax_calculation,
    txnstatus as status_code,
    receivable_account,
    deposit_account,
    recurring,
    nullif(trim(reference), '') as reference,
    nullif(trim(external_id), '') as external_id,
    {{ quickbooks_is_void() }} as is_voided,
    createtime as created_at,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__' ~ entity | lower) }}
where _superseded_batch is null and not _is_deleted
{%- endmacro %}

{# Current lines of a document. A line's Id stays with it when others come and go; what has none is told by its place. #}
{% macro quickbooks_base_lines(entity) -%}
select
    _connection as connection,
    _key as record_key,
    '{{ entity }}-' || document as document_id,
    '{{ entity }}' as entity,
    position,
    kind,
    bundle,
    coalesce(line, 'n' || position) as line_id,
    detailtype as detail_type,
    amount,
    item as item_id,
    qty as quantity,
    unitprice as unit_price,
    item_account,
    discount_account,
    account,
    postingtype as posting_type,
    entity_type,
    entity as party_id,
    txntype || '-' || txnid as linked_id,
    txntype as linked_type,
    txnlineid as linked_line_id,
    _batch_id as batch_id
from {{ source('quickbooks', 'quickbooks__' ~ entity | lower ~ 'line') }}
where _superseded_batch is null and not _is_deleted
{%- endmacro %}
