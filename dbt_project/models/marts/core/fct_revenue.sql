{#
  The unified revenue fact: one row per source document line × event type × leg, over all systems.

  Amounts are the seller's view, so a sum is the net. Functional and group figures are recomputed from the day's rate;
  what the ledger posted stands beside them, and a difference is a break, never a silent choice.

  The functional figure is at the rate that the document's own books quote, since that is what they post; what they do not
  quote comes from their business unit, then from the group. The group's figure is the functional one at the group's rate: two
  entities with one functional currency are translated alike whichever ledger keeps them, and the sum over entities is what
  their ledgers add up to. A transaction is never translated into the group's currency past its own books.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='event_key', full_refresh=false,
    scope='document', scope_columns=['connection', 'document_id'], scope_model='int_documents__touched',
    hash_exclude=['batch_id', 'knowledge_at']
) }}

with events as (
    select event.*
    from {{ ref('int_revenue_events__unioned') }} as event
    {{ join_touched('int_documents__touched', 'event.connection', 'event.document_id') }}
),

customers as (
    select
        connection,
        customer_id,
        customer_key
    from {{ ref_current('int_customers__identified') }}
),

products as (
    select
        connection,
        product_id,
        product_key
    from {{ ref('int_products__identified') }}
),

entities as (
    select
        entity.legal_entity_id,
        entity.functional_currency_code,
        currency.minor_units as functional_digits
    from {{ ref_current('dim_legal_entity') }} as entity
    left join {{ ref('dim_currency') }} as currency on entity.functional_currency_code = currency.currency_code
),

group_currency as (
    select
        currency_code as group_currency_code,
        minor_units as group_digits
    from {{ ref('dim_currency') }}
    where currency_code = {{ group_currency() }}
),

rates as (
    select
        connection,
        business_unit,
        from_currency_code,
        to_currency_code,
        rate_date,
        fx_rate,
        rate_type,
        fx_direction,
        quoted_date,
        is_unit_choice,
        is_group_choice
    from {{ ref_current('int_fx_rates__daily') }}
),

priced as (
    select
        event.*,
        customers.customer_key,
        products.product_key,
        entities.functional_currency_code,
        coalesce(entities.functional_digits, 2) as functional_digits,
        group_currency.group_currency_code,
        group_currency.group_digits,
        case
            when event.currency_code = entities.functional_currency_code then 1
            else coalesce(own_rate.fx_rate, unit_rate.fx_rate, shared_rate.fx_rate)
        end as day_rate,
        case
            when event.currency_code = entities.functional_currency_code then 'identity'
            else coalesce(own_rate.fx_direction, unit_rate.fx_direction, shared_rate.fx_direction)
        end as day_rate_direction,
        case
            when event.currency_code = entities.functional_currency_code then 'day'
            else coalesce(own_rate.rate_type, unit_rate.rate_type, shared_rate.rate_type)
        end as day_rate_type,
        case
            when event.currency_code = entities.functional_currency_code then event.document_date
            else coalesce(own_rate.quoted_date, unit_rate.quoted_date, shared_rate.quoted_date)
        end as day_rate_date,
        case
            when entities.functional_currency_code = group_currency.group_currency_code then 1
            else group_rate.fx_rate
        end as group_rate
    from events as event
    cross join group_currency
    left join customers on event.connection = customers.connection and event.customer_id = customers.customer_id
    left join products on event.connection = products.connection and event.product_id = products.product_id
    left join entities on event.legal_entity_id = entities.legal_entity_id
    left join rates as own_rate
        on
            event.connection = own_rate.connection
            and event.currency_code = own_rate.from_currency_code
            and entities.functional_currency_code = own_rate.to_currency_code
            and {{ rate_day('event.document_date') }} = own_rate.rate_date
    left join rates as unit_rate
        on
            unit_rate.is_unit_choice
            and {{ connection_unit('event.connection') }} = unit_rate.business_unit
            and event.currency_code = unit_rate.from_currency_code
            and entities.functional_currency_code = unit_rate.to_currency_code
            and {{ rate_day('event.document_date') }} = unit_rate.rate_date
    left join rates as shared_rate
        on
            shared_rate.is_group_choice
            and event.currency_code = shared_rate.from_currency_code
            and entities.functional_currency_code = shared_rate.to_currency_code
            and {{ rate_day('event.document_date') }} = shared_rate.rate_date
    left join rates as group_rate
        on
            group_rate.is_group_choice
            and entities.functional_currency_code = group_rate.from_currency_code
            and group_currency.group_currency_code = group_rate.to_currency_code
            and {{ rate_day('event.document_date') }} = group_rate.rate_date
),

functional as (
    select
        *,
        {{ round_minor('net_amount * day_rate', 'functional_digits') }} as functional_net_amount,
        {{ round_minor('total_amount * day_rate', 'functional_digits') }} as functional_total_amount
    from priced
),

final as (
    select
        {{ hash_key(['connection', 'document_type', 'document_id', 'line_id', 'event_type', 'leg']) }} as event_key,
        connection,
        source_system,
        legal_entity_id,
        document_key,
        document_type,
        document_id,
        document_number,
        line_id,
        event_type,
        leg,
        customer_id,
        case
            when customer_key is not null then customer_key
            when customer_id is not null then {{ hash_key(["'customer'", 'connection', 'customer_id']) }}
        end as customer_key,
        product_id,
        product_key,
        place_id,
        quantity,
        unit,
        currency_code,
        net_amount,
        discount_amount,
        tax_amount,
        freight_amount,
        total_amount,
        source_amount,
        source_sign,
        functional_currency_code,
        functional_net_amount,
        functional_total_amount,
        functional_amount as posted_functional_amount,
        day_rate as fx_rate,
        day_rate_type as fx_rate_type,
        day_rate_date as fx_rate_date,
        day_rate_direction as fx_direction,
        group_currency_code,
        {{ round_minor('functional_net_amount * group_rate', 'group_digits') }} as group_net_amount,
        {{ round_minor('functional_total_amount * group_rate', 'group_digits') }} as group_total_amount,
        group_rate as group_fx_rate,
        event_date,
        document_date,
        posting_date,
        period as posting_period,
        {{ period_of('document_date') }} as original_period,
        service_start_date,
        service_end_date,
        due_date,
        basis,
        scope,
        scope_reason,
        source_table,
        source_key,
        source_url,
        batch_id,
        modified_at as knowledge_at
    from functional
)

{{ versioned('final') }}
