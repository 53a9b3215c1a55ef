{#
  The canonical contracts. Each stg_<system>__<contract> yields exactly these columns, NULL where its system has nothing
  to say; union_contract brings the systems together.

  `locked_at` is when a period was locked for receivables, `created_at` when a document came into being in its system, both
  NULL where nobody says; `place_id` the store, plant or warehouse.

  Types are the engine's; `id` columns are the source's own, and mean something only beside their connection.
  Amounts are in currency_code, in the seller's view: a sale is positive, what takes it back is negative.
  net_amount includes freight and is after discount; discount_amount and freight_amount say how much of it they are.
  total_amount = net_amount + tax_amount. Settlements have a total only.

  Deliveries, where a system has them, are documents and events like all others:
    documents       document_type `delivery`, or `return_delivery` for goods that come back. document_date is the day of the
                    goods issue. is_pending until the goods issue is posted, is_voided once it was reversed, is_cancelled
                    when the delivery was withdrawn: such a delivery has delivered nothing. currency_code is the order's.
    revenue_events  event_type `delivery`, leg `item`, one row a line: product, quantity (negative for what comes back), unit,
                    place_id it left from. Amounts are the source's where it has any, else NULL: a delivery is never
                    revenue, and what it is worth is taken from its order. scope_reason as for billing (H1, H2).
    document_links  link_type `created_from` from the order to each of its deliveries and returns, and from the delivery to the
                    invoice; to_line_id where one delivery has lines of several orders. Quantities are in the unit of
                    the order's line.
  An adjustment, by which somebody adds to or takes off what is owed without cash, is a document `adjustment` in its own sign:
    revenue_events  event_type `application`, leg `adjustment`, negative for what it takes off; and what it posts to revenue,
                    where it does.
    settlements     payment_type `adjustment`: nothing is applied, discount_amount is what it takes off (negative: adds).
    gl_entries      the receivable in its own sign and the account on the other side, both is_manual.
  A pro forma invoice is a document `pro_forma` with events `billing`, scope 'out', scope_reason 'H2'.
  A claim is what a payer is asked for on behalf of a person; one row each, and one per encounter that nobody claimed, with
  claim_status 'none'. charged_amount is what was asked for, approved_amount what the payer owes of it, claim_document_key the
  document `deal` of an approved one, payer_paid_amount what the payer says it paid (cash is what the ERP received).
  A stock level is what was on hand at the end of a day: one row per product, place and day on which it was told.
  Sales by day are a shop's own ledger, summed: one row per day, legal entity, pair of currencies, measure (sales, shipping, fee,
  duty, tip, gift_card; other is what no seed knows), sale or return, and whether it was a test. Amounts are in currency_code,
  the shop's, and without tax; document_net_amount is in document_currency_code, that of the documents. What was sold before
  discount is net_amount - discount_amount.
  A payout is what a payment provider sends to the bank (net_amount, as the provider tells it; below zero when it takes), and
  payout_movements what it is made of: gross less fee is net. payout_state is pending until it was sent, paid, or void where
  it never came. A bank deposit is what the ERP says of the same money: deposit_amount reached the bank, gross_amount less
  fee_amount; both NULL where fees are kept elsewhere. `reference` is all the text in which somebody may name a payout.
  bank_deposit_lines are what the deposit is made of; receipt_… is the payment or cash sale that a line brings to the bank.

  Few systems tell sales by day, payouts or deposits: the var `told_by` lists those that do, and the others have no model.
#}
{% macro contract_columns(contract) -%}
    {%- set text, flag, day, instant = dbt.type_string(), 'boolean', 'date', 'timestamp with time zone' -%}
    {%- set money, rate, batch = 'numeric(28, 4)', 'numeric(28, 12)', 'bigint' -%}
    {%- set contracts = {
        'customers': {
            'connection': text, 'customer_id': text, 'parent_customer_id': text, 'name': text, 'legal_name': text,
            'tax_id': text, 'domain': text, 'email': text, 'phone': text, 'street': text, 'city': text, 'region': text,
            'postal_code': text, 'country_code': text, 'external_customer_id': text, 'is_person': flag,
            'is_intercompany': flag, 'is_active': flag, 'modified_at': instant
        },
        'products': {
            'connection': text, 'product_id': text, 'product_code': text, 'gtin': text, 'name': text, 'family': text,
            'unit': text, 'is_stocked': flag, 'is_liability': flag, 'is_active': flag
        },
        'legal_entities': {
            'connection': text, 'legal_entity_id': text, 'source_id': text, 'name': text, 'country_code': text,
            'functional_currency_code': text, 'parent_id': text, 'fiscal_year_start_month': 'integer',
            'is_elimination': flag
        },
        'fiscal_periods': {
            'connection': text, 'period': text, 'source_id': text, 'name': text, 'is_closed': flag, 'is_ar_locked': flag,
            'start_date': day, 'end_date': day, 'locked_at': instant
        },
        'documents': {
            'document_key': text, 'connection': text, 'document_type': text, 'document_id': text, 'document_number': text,
            'legal_entity_id': text, 'customer_id': text, 'currency_code': text, 'source_type_code': text,
            'source_status_code': text, 'status': text, 'external_id': text, 'reference': text, 'posting_period': text,
            'source_url': text, 'header_total_amount': money, 'exchange_rate': rate, 'line_count': 'integer',
            'is_posting': flag, 'is_voided': flag, 'is_cancelled': flag, 'is_pending': flag, 'is_intercompany': flag,
            'has_billing_schedule': flag, 'document_date': day, 'due_date': day, 'closed_date': day,
            'created_at': instant, 'modified_at': instant, 'batch_id': batch
        },
        'revenue_events': {
            'document_key': text, 'connection': text, 'legal_entity_id': text, 'document_type': text, 'document_id': text,
            'document_number': text, 'line_id': text, 'event_type': text, 'leg': text, 'customer_id': text,
            'product_id': text, 'place_id': text, 'quantity': 'numeric(28, 6)', 'unit': text, 'currency_code': text,
            'net_amount': money,
            'discount_amount': money, 'tax_amount': money, 'freight_amount': money, 'total_amount': money,
            'source_amount': money, 'source_sign': 'integer', 'functional_amount': money, 'fx_rate': rate,
            'fx_rate_type': text, 'fx_rate_date': day, 'event_date': day, 'document_date': day, 'posting_date': day,
            'period': text, 'service_start_date': day, 'service_end_date': day, 'due_date': day, 'basis': text,
            'scope': text, 'scope_reason': text, 'source_table': text, 'source_key': text, 'source_url': text,
            'modified_at': instant, 'batch_id': batch
        },
        'document_links': {
            'connection': text, 'from_document_key': text, 'from_type': text, 'from_id': text, 'from_line_id': text,
            'to_connection': text, 'to_document_key': text, 'to_type': text, 'to_id': text, 'to_line_id': text,
            'link_type': text, 'document_id': text, 'amount': money
        },
        'settlements': {
            'connection': text, 'line_id': text, 'payment_document_key': text, 'payment_type': text, 'payment_id': text,
            'invoice_document_key': text, 'invoice_type': text, 'invoice_id': text, 'document_id': text,
            'currency_code': text, 'applied_amount': money, 'discount_amount': money, 'applied_date': day
        },
        'gl_entries': {
            'document_key': text, 'connection': text, 'legal_entity_id': text, 'entry_id': text, 'line_id': text,
            'account_code': text, 'account_kind': text, 'amount': money, 'currency_code': text,
            'functional_amount': money, 'functional_currency_code': text, 'posting_date': day, 'period': text,
            'document_type': text, 'document_id': text, 'customer_id': text, 'is_manual': flag, 'ledger_book': text
        },
        'fx_rates': {
            'connection': text, 'from_currency_code': text, 'to_currency_code': text, 'rate_type': text,
            'quoted_as': text, 'rate': rate, 'priority': 'integer', 'rate_date': day
        },
        'stock_levels': {
            'connection': text, 'product_id': text, 'place_id': text, 'place_name': text, 'quantity': 'numeric(28, 6)',
            'unit': text, 'as_of_date': day, 'modified_at': instant, 'batch_id': batch
        },
        'claims': {
            'claim_key': text, 'connection': text, 'claim_id': text, 'claim_number': text, 'claim_document_key': text,
            'encounter_id': text, 'encounter_number': text, 'payer_id': text, 'legal_entity_id': text,
            'currency_code': text, 'claim_status': text, 'charged_amount': money, 'approved_amount': money,
            'payer_paid_amount': money, 'encounter_date': day, 'claimed_date': day, 'decided_date': day
        },
        'sales_by_day': {
            'connection': text, 'legal_entity_id': text, 'currency_code': text, 'document_currency_code': text,
            'measure': text, 'net_amount': money, 'discount_amount': money, 'tax_amount': money,
            'channel_tax_amount': money, 'document_net_amount': money, 'entry_count': batch, 'is_return': flag,
            'is_test': flag, 'sale_date': day
        },
        'payouts': {
            'connection': text, 'payout_id': text, 'legal_entity_id': text, 'payout_state': text, 'currency_code': text,
            'net_amount': money, 'gross_amount': money, 'fee_amount': money, 'movement_amount': money,
            'movement_count': batch, 'order_count': batch, 'issued_date': day
        },
        'payout_movements': {
            'connection': text, 'payout_id': text, 'movement_id': text, 'movement_type': text,
            'order_document_key': text, 'order_number': text, 'currency_code': text, 'gross_amount': money,
            'fee_amount': money, 'net_amount': money, 'movement_date': day
        },
        'bank_deposits': {
            'document_key': text, 'connection': text, 'deposit_id': text, 'deposit_number': text,
            'legal_entity_id': text, 'reference': text, 'source_url': text, 'currency_code': text,
            'deposit_amount': money, 'gross_amount': money, 'fee_amount': money, 'is_voided': flag, 'deposit_date': day
        },
        'bank_deposit_lines': {
            'connection': text, 'deposit_id': text, 'line_id': text, 'receipt_document_key': text,
            'receipt_number': text, 'account_code': text, 'amount': money, 'is_fee': flag
        }
    } -%}
    {%- if contract not in contracts -%}
        {{ exceptions.raise_compiler_error("no contract '" ~ contract ~ "'; known: " ~ contracts.keys() | join(', ')) }}
    {%- endif -%}
    {{ return(contracts[contract]) }}
{%- endmacro %}

{#
  The company's systems that tell a contract: all of them, but for contracts that only few have anything to say about (var
  `told_by`). Nobody asks for deposits where nobody pays out.
#}
{% macro telling_systems(contract) -%}
    {%- if contract.startswith('bank_deposit') and not telling_systems('payouts') -%}{{ return([]) }}{%- endif -%}
    {{ return(var('systems') | select('in', var('told_by').get(contract, var('systems'))) | list) }}
{%- endmacro %}

{#
  All systems' rows of a contract; none where no system of the company tells it. A system joins by one word in the var
  `systems`.
#}
{% macro union_contract(contract) -%}
    {%- set columns = contract_columns(contract) -%}
    {%- set systems = telling_systems(contract) -%}
    {%- if not systems %}
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        cast(null as {{ dbt.type_string() }}) as source_system
    from ({{ silent(contract) }}) as nobody
    {%- endif -%}
    {%- for system in systems %}
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        cast('{{ system }}' as {{ dbt.type_string() }}) as source_system
    from {{ ref('stg_' ~ system ~ '__' ~ contract) }}
    {% if not loop.last %}union all{% endif -%}
    {%- endfor -%}
{%- endmacro %}

{# All of a staging model for a contract about which its system has nothing to say. #}
{% macro silent(contract) -%}
    select
        {% for column, type in contract_columns(contract).items() -%}
        cast(null as {{ type }}) as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor -%}
    where 1 = 0
{%- endmacro %}

{# The last select of a staging model: the contract's columns of `source`, in order and typed. #}
{% macro select_contract(contract, source) -%}
    select
        {% for column, type in contract_columns(contract).items() -%}
        cast({{ column }} as {{ type }}) as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor -%}
    from {{ source }}
{%- endmacro %}
