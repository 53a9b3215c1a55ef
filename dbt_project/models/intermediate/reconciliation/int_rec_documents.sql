-- One row per document that a hop compares: its amounts in the hops' measures, its references as people mean them. Versioned,
-- so that a build knows what a document said before, and looks again at those that referred to it.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='document_key', full_refresh=false,
    scope='document', scope_columns=['document_id', 'connection'], scope_model='int_documents__touched',
    on_schema_change='append_new_columns', contract={'enforced': true},
    lookups=[
        'external_id', 'number_token', 'reference_token', 'sought_token', 'document_date',
        'due_date', 'customer_key, net_amount'
    ]
) }}

with events as (
    select
        revenue.document_key,
        revenue.source_system,
        revenue.legal_entity_id,
        revenue.customer_key,
        revenue.product_id,
        revenue.currency_code,
        revenue.functional_currency_code,
        revenue.original_period,
        revenue.scope,
        revenue.scope_reason,
        revenue.source_url,
        revenue.quantity,
        revenue.net_amount,
        revenue.tax_amount,
        revenue.total_amount,
        revenue.functional_net_amount,
        revenue.functional_total_amount,
        revenue.fx_rate,
        revenue.group_fx_rate,
        revenue.document_date,
        revenue.due_date,
        case
            when revenue.event_type = 'booking' then 'deal'
            when revenue.event_type = 'order' then 'order'
            when revenue.event_type = 'delivery' then 'delivery'
            when revenue.event_type in ('billing', 'billing_credit', 'billing_cancel') then 'billing'
            -- cash sales and cash refunds are billing that settles itself
            when
                revenue.event_type in ('cash', 'cash_refund') and revenue.document_type not in ('cash_sale', 'cash_refund')
                then 'payment'
        end as role
    from {{ ref_current('fct_revenue') }} as revenue
    {{ join_touched('int_documents__touched', 'revenue.connection', 'revenue.document_id') }}
),

headers as (
    select
        document.*,
        coalesce(document.is_voided, false)
        or coalesce(document.is_cancelled, false)
        -- a delivery whose goods have not left has delivered nothing
        or (coalesce(document.is_pending, false) and document.document_type in ('delivery', 'return_delivery')) as is_void
    from {{ ref('int_documents__unioned') }} as document
    {{ join_touched('int_documents__touched', 'document.connection', 'document.document_id') }}
),

-- Apart from the headers, which are wide: who asks for both reads them twice.
rates as (
    select
        document.document_key,
        document.exchange_rate
    from {{ ref('int_documents__unioned') }} as document
    {{ join_touched('int_documents__touched', 'document.connection', 'document.document_id') }}
),

lines as (
    select
        events.*,
        -- What the ledger makes of the line at the rate that the document was posted with.
        {{ round_minor('events.net_amount * rates.exchange_rate', 'coalesce(functional.minor_units, 2)') }}
            as posted_rate_net_amount
    from events
    inner join rates on events.document_key = rates.document_key
    left join {{ ref('dim_currency') }} as functional on events.functional_currency_code = functional.currency_code
    where events.role is not null
),

summed as (
    select
        document_key,
        role,
        min(source_system) as source_system,
        min(legal_entity_id) as legal_entity_id,
        min(customer_key) as customer_key,
        min(currency_code) as currency_code,
        min(functional_currency_code) as functional_currency_code,
        min(original_period) as period,
        min(source_url) as source_url,
        -- A document is out of scope when all of it is: a doubtful line stays in sight. So does a cancelled one, as nothing.
        case when min(case when scope = 'out' and scope_reason <> 'G1' then 1 else 0 end) = 1 then min(scope_reason) end
            as scope_reason,
        count(*) as line_count,
        sum(case when product_id is not null then coalesce(quantity, 0) else 0 end) as product_quantity,
        sum(coalesce(net_amount, 0)) as net_amount,
        sum(coalesce(tax_amount, 0)) as tax_amount,
        sum(coalesce(total_amount, 0)) as total_amount,
        sum(functional_net_amount) as functional_net_amount,
        sum(functional_total_amount) as functional_total_amount,
        sum(posted_rate_net_amount) as posted_rate_net_amount,
        max(fx_rate) as fx_rate,
        max(group_fx_rate) as group_fx_rate,
        min(document_date) as document_date,
        min(due_date) as due_date
    from lines
    group by document_key, role
),

described as (
    select
        summed.document_key,
        summed.role,
        headers.connection,
        {{ connection_unit('headers.connection') }} as business_unit,
        summed.source_system,
        headers.document_type,
        headers.document_id,
        headers.document_number,
        summed.legal_entity_id,
        summed.customer_key,
        summed.currency_code,
        summed.functional_currency_code,
        summed.period,
        summed.scope_reason,
        headers.external_id,
        headers.reference,
        {{ reference_token('headers.document_number') }} as number_token,
        {{ reference_token('headers.reference') }} as reference_token,
        summed.source_url,
        summed.line_count,
        coalesce(currency.minor_units, 2) as minor_units,
        coalesce(functional.minor_units, 2) as functional_minor_units,
        -- What is void counts as nothing: the document and its cancellation are a pair on one side.
        case when headers.is_void then 0 else summed.product_quantity end as product_quantity,
        case when headers.is_void then 0 else summed.net_amount end as net_amount,
        case when headers.is_void then 0 else summed.tax_amount end as tax_amount,
        case when headers.is_void then 0 else summed.total_amount end as total_amount,
        -- the header in the seller's view, as its lines are
        case
            when headers.is_void then 0
            when summed.total_amount < 0 then -abs(headers.header_total_amount)
            else headers.header_total_amount
        end as header_total_amount,
        case when headers.is_void then 0 else summed.functional_net_amount end as functional_net_amount,
        case when headers.is_void then 0 else summed.functional_total_amount end as functional_total_amount,
        case when headers.is_void then 0 else summed.posted_rate_net_amount end as posted_rate_net_amount,
        summed.fx_rate,
        headers.exchange_rate as posted_fx_rate,
        summed.fx_rate * summed.group_fx_rate as group_rate,
        summed.group_fx_rate as functional_group_rate,
        headers.is_void,
        coalesce(headers.has_billing_schedule, false) as has_billing_schedule,
        summed.role = 'billing' and headers.document_type in ('credit_memo', 'cash_refund') as is_credit,
        summed.role = 'billing' and headers.document_type in ('cash_sale', 'cash_refund') as settles_itself,
        summed.document_date,
        coalesce(summed.due_date, headers.due_date, summed.document_date) as due_date
    from summed
    inner join headers on summed.document_key = headers.document_key
    left join {{ ref('dim_currency') }} as currency on summed.currency_code = currency.currency_code
    left join {{ ref('dim_currency') }} as functional on summed.functional_currency_code = functional.currency_code
    {{ computed_once() }}
),

-- What is said for its unit goes before what is said for all.
crossrefs as (
    select
        *,
        row_number() over (
            order by case when business_unit is null then 1 else 0 end, means_token, crossref_key
        ) as place
    from {{ ref_current('int_rec_crossrefs') }}
),

-- Nothing that goes before it speaks of the document: cheaper than to sort all documents for the few that have two entries.
documents as (
    select
        described.*,
        coalesce(crossref.means_token, described.reference_token) as sought_token,
        crossref.means_token is not null as is_cross_referenced
    from described
    left join crossrefs as crossref on {{ speaks_of('crossref', 'described') }}
    left join crossrefs as better on {{ speaks_of('better', 'described') }} and better.place < crossref.place
    where better.place is null
)

{{ versioned('documents') }}
