{# What the branches of Oracle's events have in common, in one order. #}
{% macro oracle_line_columns() -%}
    document_key, connection, legal_entity_id, document_type, document_id, document_number, line_id, kind, type_event,
    line_kind, customer_id, product_id, unit, currency_code, posting_period, source_table, source_key, source_url,
    sign_factor, line_quantity, line_amount, ledger_amount, exchange_rate, is_posting, is_pending, is_voided, is_cancelled,
    is_line_cancelled, is_intercompany, is_out_of_scope, document_date, due_date, service_start_date, service_end_date,
    own_date, modified_at, line_batch_id
{%- endmacro %}
