{# What the branches of Oracle's events have in common, in one order. #}
{% macro oracle_line_columns() -%}
    document_key, connection, legal_entity_id, document_type, document_id, document_number, line_id, kind, type_event,
    line_kind, customer_id, product_id, place_id, unit, currency_code, posting_period, source_table, source_key, source_url,
    sign_factor, line_quantity, line_amount, ledger_amount, exchange_rate, is_posting, is_pending, is_voided, is_cancelled,
    is_line_cancelled, is_intercompany, is_out_of_scope, document_date, due_date, service_start_date, service_end_date,
    own_date, modified_at, line_batch_id
{%- endmacro %}

{# Stores of file extracts of which key extracts may come: the column with the document's key, and its prefix. #}
{% macro oracle_key_extracts() -%}
    {{ return([
        ('transactionheader', 'racustomertrxcustomertrxid', ''),
        ('transactionline', 'racustomertrxlinecustomertrxid', ''),
        ('transactiondistribution', 'racusttrxlinegldistcustomertrxid', ''),
        ('paymentschedule', 'arpaymentschedulecustomertrxid', ''),
        ('receiptheader', 'arcashreceiptcashreceiptid', 'RCT-'),
        ('receivableapplication', 'arreceivableapplicationcashreceiptid', 'RCT-'),
        ('receivableapplication', 'arreceivableapplicationcustomertrxid', ''),
        ('receivableapplication', 'arreceivableapplicationappliedcustomertrxid', ''),
        ('journalbatch', 'journalbatchjebatchid', 'JE-'),
        ('journalheader', 'gljeheadersjebatchid', 'JE-')
    ]) }}
{%- endmacro %}

{#
  An extract tells no deletion. What vanished from the extract of the store's keys is deleted, for as long as it does not come
  back there. Without such an extract nothing is.
#}
{% macro oracle_is_there(store) -%}
    not exists (
        select 1
        from {{ source('oracle', 'oracle__' ~ store ~ 'keys') }} as listed
        where
            listed._connection = landed._connection
            and listed._key = landed._key
            and listed._superseded_batch is null
            and listed._is_deleted
    )
{%- endmacro %}
