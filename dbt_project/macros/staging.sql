{# What the staging models of all systems share: a system adds words, not SQL. #}

{#
  Documents of which anything that was landed changed since the last build. All of them in a complete build.
    headers  streams of one document a row, {stream, where: a condition on its base model, type: the column that decides
             the document's type, prefix: what makes its key a document's id, where several streams have the same keys}
    parts    (stream, column with the document's key, prefix if any): lines, ledger rows, both ends of links
    namers   (staging model, column with the id of the document that it names): what follows from a document is staged
             with the other's key and type, so it is looked at again when that one came, went or became another type. Without
             `type`, and after a build that was abandoned or repeated, it is whenever that one changed.
#}
{% macro documents_touched(system, headers, parts, namers) -%}
{%- set references = ref('stg_' ~ system ~ '__references') -%}
{%- set bases = [] -%}
{%- for header in headers -%}{%- do bases.append(ref('base_' ~ header.stream)) -%}{%- endfor -%}
{%- if not is_partial_build() -%}
    {% for header in headers -%}
    select connection, {{ prefixed(header.prefix, 'record_key') }} as document_id
    from {{ bases[loop.index0] }}
    {% if header.where %}where {{ header.where }}{% endif %}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
-- depends on: {{ references }}, so that both kinds of build have the same graph
{%- else -%}
with headers as (
    {% for header in headers -%}
    select
        landed._connection as connection,
        {{ prefixed(header.prefix, 'landed._key') }} as document_id,
        {% if header.type and var('follows_directly') -%}
        max(case when staged.document_id is null then '' else coalesce(staged.source_type_code, '?') end)
        <> max(case when present.record_key is null then '' else coalesce(present.{{ header.type }}, '?') end) as is_another
        {%- else -%}
        true as is_another
        {%- endif %}
    from {{ source(system, header.stream) }} as landed
    {% if header.type and var('follows_directly') -%}
    left join {{ left_behind('stg_' ~ system ~ '__documents') }} as staged
        on landed._connection = staged.connection and {{ prefixed(header.prefix, 'landed._key') }} = staged.document_id
    left join {{ bases[loop.index0] }} as present
        on landed._connection = present.connection and landed._key = present.record_key
    {%- endif %}
    where
        landed._batch_id > {{ var('previous_batch_id') | int }}
        or landed._superseded_batch > {{ var('previous_batch_id') | int }}
    group by landed._connection, landed._key
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

meaning_changed as (
    select distinct connection
    from {{ references }}
    where superseded_run > {{ var('previous_run_id') | int }} and superseded_run < {{ open_run() }}
)

select connection, document_id from headers
{% for part in parts -%}
union
select _connection, {{ prefixed(part[2] if part | length > 2 else '', part[1]) }}
from {{ source(system, part[0]) }}
where {{ landed_since_last_build() }} and {{ part[1] }} is not null
{% endfor -%}
{% for namer, column in namers -%}
union
select namer.connection, namer.document_id
from headers
inner join {{ left_behind(namer) }} as namer
    on headers.connection = namer.connection and headers.document_id = namer.{{ column }}
where headers.is_another
{% endfor -%}
{% for header in headers -%}
union
select present.connection, {{ prefixed(header.prefix, 'present.record_key') }}
from meaning_changed
inner join {{ bases[loop.index0] }} as present on meaning_changed.connection = present.connection
{% if header.where %}where present.{{ header.where }}{% endif %}
{% endfor -%}
{%- endif -%}
{%- endmacro %}

{# A key of a table as a document's id. #}
{% macro prefixed(prefix, key) -%}
    {%- if prefix %}{{ literal(prefix) }} || {{ key }}{% else %}{{ key }}{% endif -%}
{%- endmacro %}

{#
  The meaning that master data gives to documents, for a versioned model: a build knows when a meaning changed, and looks at
  all documents again. A new account or period changes no document that exists.
    kinds  (kind of master data, base model, columns that give meaning)
#}
{% macro references(kinds) -%}
with meanings as (
    {% for kind, base, columns in kinds -%}
    select
        connection,
        '{{ kind }}' as reference_type,
        id as reference_id,
        {% for column in columns -%}
        coalesce(cast({{ column }} as {{ dbt.type_string() }}), ''){% if not loop.last %} || '|' || {% endif %}
        {%- endfor %} as meaning
    from {{ ref(base) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

keyed as (
    select
        {{ hash_key(['connection', 'reference_type', 'reference_id']) }} as reference_key,
        meanings.*
    from meanings
)

{{ versioned('keyed') }}
{%- endmacro %}

{#
  Codes that a system sent and that no seed maps, counted by connection.
    sets  {name, model, value: an expression over `sent`, map and code: the seed and its column, where: what counts; without
          `map` whatever `where` finds is unmapped}
#}
{% macro codes_unmapped(sets) -%}
{% for found in sets -%}
select
    sent.connection,
    '{{ found.name }}' as code_set,
    {{ found.value }} as code_value,
    count(*) as document_count
from {{ ref(found.model) }} as sent
{% if found.map -%}
left join {{ ref(found.map) }} as map on {{ found.value }} = map.{{ found.code }}
{% endif -%}
where
    {{ found.where or '1 = 1' }}
    {% if found.map %}and map.{{ found.code }} is null{% endif %}
group by sent.connection, {{ found.value }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
{%- endmacro %}

{#
  {connection, as_of_date}: of what is told only as it is now, the day on which any of it was last told to be different. It is
  the source's own day, by the window of the load, and not ours: the as-of date of a run goes by the sources' clocks too, and
  a level of tomorrow would not count. `rows` have connection, batch_id and landed_at.
#}
{% macro days_told(rows) -%}
    select
        told.connection,
        cast(max(coalesce(batch.window_end, told.landed_at)) as date) as as_of_date
    from {{ rows }} as told
    left join {{ source('ops', 'load') }} as batch on told.batch_id = batch.batch_id
    group by told.connection
{%- endmacro %}

{#
  Link deal_order of a CRM: its order names the deal from which it was made. The ERP's ids on orders are `external_id` of
  documents.
    orders  the base model of orders
    deal    its column that names the deal
#}
{% macro deal_order_links(system, orders, deal) -%}
    select
        sales_order.connection,
        {{ document_key('sales_order.connection', "'deal'", 'sales_order.' ~ deal) }} as from_document_key,
        'deal' as from_type,
        sales_order.{{ deal }} as from_id,
        cast(null as {{ dbt.type_string() }}) as from_line_id,
        sales_order.connection as to_connection,
        {{ document_key('sales_order.connection', "'crm_order'", 'sales_order.id') }} as to_document_key,
        'crm_order' as to_type,
        sales_order.id as to_id,
        cast(null as {{ dbt.type_string() }}) as to_line_id,
        'deal_order' as link_type,
        cast(null as numeric) as amount,
        sales_order.id as document_id
    from {{ ref(orders) }} as sales_order
    {{ join_touched('stg_' ~ system ~ '__documents_touched', 'sales_order.connection', 'sales_order.record_key') }}
    where sales_order.{{ deal }} is not null
{%- endmacro %}

{#
  A CRM's lines as events, valued as the document says. CRM orders are kept, and out of scope: H4. `lines` are documents with
  line_id, event_type, product_id, quantity, amount, source_table, source_key and line_batch_id.
    told  what the lines have besides, of discount_amount, freight_amount, service_start_date and service_end_date
#}
{% macro crm_events(lines, told=[]) -%}
    select
        document_key,
        connection,
        legal_entity_id,
        document_type,
        document_id,
        document_number,
        line_id,
        event_type,
        'item' as leg,
        customer_id,
        product_id,
        cast(null as {{ dbt.type_string() }}) as place_id,
        quantity,
        cast(null as {{ dbt.type_string() }}) as unit,
        currency_code,
        amount as net_amount,
        {{ 'discount_amount' if 'discount_amount' in told else 'cast(0 as numeric) as discount_amount' }},
        cast(0 as numeric) as tax_amount,
        {{ 'freight_amount' if 'freight_amount' in told else 'cast(0 as numeric) as freight_amount' }},
        amount as total_amount,
        amount as source_amount,
        1 as source_sign,
        cast(null as numeric) as functional_amount,
        cast(null as numeric) as fx_rate,
        cast(null as {{ dbt.type_string() }}) as fx_rate_type,
        cast(null as date) as fx_rate_date,
        document_date as event_date,
        document_date,
        cast(null as date) as posting_date,
        posting_period as period,
        {{ 'service_start_date' if 'service_start_date' in told else 'cast(null as date) as service_start_date' }},
        {{ 'service_end_date' if 'service_end_date' in told else 'cast(null as date) as service_end_date' }},
        due_date,
        'document' as basis,
        case when document_type = 'crm_order' then 'out' else 'in' end as scope,
        case when document_type = 'crm_order' then 'H4' end as scope_reason,
        source_table,
        source_key,
        source_url,
        modified_at,
        line_batch_id as batch_id
    from {{ lines }}
{%- endmacro %}

{#
  `links` of the documents of one system, with what its documents say of both ends. The id of the former may point to
  nothing: then from_type is NULL. `told`: {column: expression} of what the links do not say by themselves.
#}
{% macro links_of_documents(system, told={}) -%}
    select
        links.connection,
        source.document_key as from_document_key,
        source.document_type as from_type,
        links.from_id,
        {{ told['from_line_id'] ~ ' as from_line_id' if 'from_line_id' in told else 'links.from_line_id' }},
        links.connection as to_connection,
        target.document_key as to_document_key,
        target.document_type as to_type,
        links.to_id,
        {{ told['to_line_id'] ~ ' as to_line_id' if 'to_line_id' in told else 'links.to_line_id' }},
        {{ told['link_type'] ~ ' as link_type' if 'link_type' in told else 'links.link_type' }},
        {{ told['amount'] ~ ' as amount' if 'amount' in told else 'links.amount' }},
        links.to_id as document_id
    from links
    inner join {{ ref('stg_' ~ system ~ '__documents') }} as target
        on links.connection = target.connection and links.to_id = target.document_id
    left join {{ ref('stg_' ~ system ~ '__documents') }} as source
        on links.connection = source.connection and links.from_id = source.document_id
{%- endmacro %}

{#
  What documents post to accounts of revenue, in the seller's sign, as events: expressions over `document` and `item`, a row of
  the system's ledger_items.
#}
{% macro postings_of_documents(system, line_id, scope_reason, source_table) -%}
    {%- set text, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as numeric)' -%}
    select
        document.document_key,
        document.connection,
        document.document_id,
        {{ line_id }}{{ '' if line_id == 'item.line_id' else ' as line_id' }},
        case when item.account_kind = 'deferred' then 'deferral' else 'recognition' end as event_type,
        item.account_kind as leg,
        {{ text }} as product_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        -item.amount as net_amount,
        {{ money }} as discount_amount,
        cast(0 as numeric) as tax_amount,
        {{ money }} as freight_amount,
        -item.amount as total_amount,
        item.amount as source_amount,
        -1 as source_sign,
        -item.functional_amount as functional_amount,
        document.document_date as event_date,
        item.posting_date,
        'posted' as basis,
        {{ scope_reason }} as scope_reason,
        {{ source_table }}{{ '' if source_table == 'item.source_table' else ' as source_table' }},
        item.record_key as source_key,
        item.batch_id
    from documents as document
    inner join {{ ref('stg_' ~ system ~ '__ledger_items') }} as item
        on document.connection = item.connection and document.document_id = item.document_id
    where item.account_kind in ('revenue', 'deferred')
{%- endmacro %}

{# What cash and credits settle, as events. `source_table`: whose rows are the settlements. #}
{% macro applications_of_documents(system, scope_reason, source_table) -%}
    {%- set text, money = 'cast(null as ' ~ dbt.type_string() ~ ')', 'cast(null as numeric)' -%}
    select
        document.document_key,
        document.connection,
        document.document_id,
        settlement.line_id || '/' || settlement.invoice_id as line_id,
        'application' as event_type,
        case when settlement.payment_type = 'payment' then 'cash' else 'credit' end as leg,
        {{ text }} as product_id,
        {{ money }} as quantity,
        {{ text }} as unit,
        {{ money }} as net_amount,
        {{ money }} as discount_amount,
        {{ money }} as tax_amount,
        {{ money }} as freight_amount,
        settlement.applied_amount as total_amount,
        settlement.applied_amount as source_amount,
        1 as source_sign,
        {{ money }} as functional_amount,
        settlement.applied_date as event_date,
        settlement.applied_date as posting_date,
        'document' as basis,
        {{ scope_reason }} as scope_reason,
        '{{ source_table }}' as source_table,
        settlement.line_id as source_key,
        document.batch_id
    from documents as document
    inner join {{ ref('stg_' ~ system ~ '__settlements') }} as settlement
        on document.connection = settlement.connection and document.document_id = settlement.document_id
{%- endmacro %}

{#
  Events of an ERP with what their document says of them all. What is posted is of the period of its posting, everything else of
  the document's. `events` say what is theirs: line, amounts, sign, dates, basis, reason of scope, place in raw; with
  `has_place` the place that the goods left, too.
#}
{% macro events_of_documents(events, documents, has_place=true) -%}
    select
        event.document_key,
        event.connection,
        document.legal_entity_id,
        document.document_type,
        event.document_id,
        document.document_number,
        event.line_id,
        event.event_type,
        event.leg,
        document.customer_id,
        event.product_id,
        {{ 'event.place_id' if has_place else 'cast(null as ' ~ dbt.type_string() ~ ') as place_id' }},
        event.quantity,
        event.unit,
        document.currency_code,
        event.net_amount,
        event.discount_amount,
        event.tax_amount,
        event.freight_amount,
        event.total_amount,
        event.source_amount,
        event.source_sign,
        event.functional_amount,
        document.exchange_rate as fx_rate,
        'posted' as fx_rate_type,
        document.document_date as fx_rate_date,
        event.event_date,
        document.document_date,
        event.posting_date,
        case when event.basis = 'posted' then {{ period_of('event.posting_date') }} else document.posting_period end as period,
        cast(null as date) as service_start_date,
        cast(null as date) as service_end_date,
        document.due_date,
        event.basis,
        case when event.scope_reason is null then 'in' else 'out' end as scope,
        event.scope_reason,
        event.source_table,
        event.source_key,
        document.source_url,
        document.modified_at,
        event.batch_id
    from {{ events }} as event
    inner join {{ documents }} as document on event.document_key = document.document_key
{%- endmacro %}

{# What was taken off a deposit on its way to the bank, by deposit: as a positive amount. `lines`: the model of its lines. #}
{% macro deposit_fees(lines) -%}
    select
        connection,
        deposit_id,
        -sum(case when is_fee then amount else 0 end) as amount
    from {{ ref(lines) }}
    group by connection, deposit_id
{%- endmacro %}

{#
  Columns of `bank_deposits`: what came (`total`) and the fees that were taken off it, of a left join to `fees`. With
  options.payout_fees `elsewhere` fees are booked by another document, and a deposit does not tell them.
#}
{% macro deposit_gross_and_fee(connection, total) -%}
    {%- set elsewhere = connection_says(connection, 'payout_fees', 'elsewhere', 'deposit') -%}
        case when {{ elsewhere }} then null else {{ total }} + coalesce(fees.amount, 0) end as gross_amount,
        case when {{ elsewhere }} then null else coalesce(fees.amount, 0) end as fee_amount
{%- endmacro %}
