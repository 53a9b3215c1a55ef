-- One row per document that a hop compares: its amounts in the hop's measures, its references as people mean them.
with events as (
    select
        document_key,
        legal_entity_id,
        customer_id,
        customer_key,
        currency_code,
        functional_currency_code,
        source_system,
        original_period,
        scope,
        scope_reason,
        source_url,
        net_amount,
        tax_amount,
        total_amount,
        functional_net_amount,
        functional_total_amount,
        fx_rate,
        group_fx_rate,
        document_date,
        posting_date,
        due_date,
        case
            when event_type in ('booking', 'booking_change', 'booking_cancel') then 'deal'
            when event_type = 'order' then 'order'
            when event_type in ('billing', 'billing_credit', 'billing_cancel') then 'billing'
            when event_type in ('cash', 'cash_refund') then 'payment'
        end as role
    from {{ ref_current('fct_revenue') }} as revenue
),

summed as (
    select
        document_key,
        role,
        min(source_system) as source_system,
        min(legal_entity_id) as legal_entity_id,
        min(customer_id) as customer_id,
        min(customer_key) as customer_key,
        min(currency_code) as currency_code,
        min(functional_currency_code) as functional_currency_code,
        min(original_period) as period,
        min(source_url) as source_url,
        -- A document is out of scope when all of it is: a doubtful line stays in sight.
        case when min(case when scope = 'out' then 1 else 0 end) = 1 then min(scope_reason) end as scope_reason,
        sum(coalesce(net_amount, 0)) as net_amount,
        sum(coalesce(tax_amount, 0)) as tax_amount,
        sum(coalesce(total_amount, 0)) as total_amount,
        sum(functional_net_amount) as functional_net_amount,
        sum(functional_total_amount) as functional_total_amount,
        max(fx_rate) as fx_rate,
        max(group_fx_rate) as group_fx_rate,
        count(*) as line_count,
        min(document_date) as document_date,
        min(due_date) as due_date
    from events
    where role is not null
    group by document_key, role
),

described as (
    select
        summed.document_key,
        summed.role,
        header.connection,
        summed.source_system,
        header.document_type,
        header.document_id,
        header.document_number,
        summed.legal_entity_id,
        summed.customer_id,
        summed.customer_key,
        summed.currency_code,
        summed.functional_currency_code,
        coalesce(summed.period, {{ period_of('summed.document_date') }}) as period,
        summed.scope_reason,
        summed.source_url,
        header.external_id,
        {{ reference_token('header.document_number') }} as number_token,
        {{ reference_token('header.reference') }} as reference_token,
        header.reference,
        summed.line_count,
        summed.net_amount,
        summed.tax_amount,
        summed.total_amount,
        header.header_total_amount,
        summed.functional_net_amount,
        summed.functional_total_amount,
        summed.fx_rate,
        header.exchange_rate as posted_fx_rate,
        summed.group_fx_rate,
        coalesce(currency.minor_units, 2) as minor_units,
        coalesce(header.is_voided, false) or coalesce(header.is_cancelled, false) as is_void,
        coalesce(header.has_billing_schedule, false) as has_billing_schedule,
        summed.document_date,
        coalesce(summed.due_date, header.due_date, summed.document_date) as due_date
    from summed
    inner join {{ ref('int_documents__unioned') }} as header on summed.document_key = header.document_key
    left join {{ ref('iso_currencies') }} as currency on summed.currency_code = currency.currency_code
)

select
    document_key,
    role,
    connection,
    source_system,
    document_type,
    document_id,
    document_number,
    legal_entity_id,
    customer_id,
    customer_key,
    currency_code,
    functional_currency_code,
    period,
    scope_reason,
    source_url,
    external_id,
    number_token,
    reference_token,
    reference,
    line_count,
    minor_units,
    -- What is void counts as nothing: the document and its cancellation are a pair on one side.
    case when is_void then 0 else net_amount end as net_amount,
    case when is_void then 0 else tax_amount end as tax_amount,
    case when is_void then 0 else total_amount end as total_amount,
    case when is_void then 0 else header_total_amount end as header_total_amount,
    case when is_void then 0 else functional_net_amount end as functional_net_amount,
    case when is_void then 0 else functional_total_amount end as functional_total_amount,
    fx_rate,
    posted_fx_rate,
    group_fx_rate,
    is_void,
    has_billing_schedule,
    role = 'billing' and document_type in ('credit_memo', 'cash_refund') as is_credit,
    role = 'billing' and document_type in ('cash_sale', 'cash_refund') as settles_itself,
    document_date,
    due_date
from described
