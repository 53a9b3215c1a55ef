-- How a visit becomes money: encounter, claim, bill, payment, one row per claim (or encounter that nobody claimed) and currency.
-- What was claimed is told by the CRM, what was billed and received by the ERP, joined over the matches of rec_document. A group of
-- several claims has one anchor: its bills stand with that one, so that no amount counts twice. What was billed in another
-- currency than claimed is a row of its own, without claim amounts. Open amounts are those of fin_ar_ageing, in its buckets.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='cycle_key', scope='all',
    full_refresh=false, hash_exclude=['as_of_date']
) }}

{% set as_of_date %}cast('{{ var("as_of_date") }}' as date){% endset %}
{% set judged = ref_current('rec_document') %}
with claims as (
    select
        claim.*,
        {{ connection_unit('claim.connection') }} as business_unit,
        payer.customer_key as payer_key
    from {{ ref('int_claims__unioned') }} as claim
    left join {{ ref_current('int_customers__identified') }} as payer
        on claim.connection = payer.connection and claim.payer_id = payer.customer_id
),

-- Whose claims are compared with orders together, and under which claim.
anchors as (
    select
        claims.claim_key,
        judged.group_key = claims.claim_document_key as is_anchor
    from claims
    inner join {{ judged }} as judged on claims.claim_document_key = judged.document_key
    where judged.hop = 'deal_order' and judged.side = 'left'
),

orders as (
    select
        claims.claim_key,
        judged.document_key
    from claims
    inner join {{ judged }} as judged on claims.claim_document_key = judged.group_key
    where judged.hop = 'deal_order' and judged.side = 'right' and judged.outcome <> 'scoped_out'
),

ordered as (
    select
        claim_key,
        count(*) as order_count
    from orders
    group by claim_key
),

bills as (
    select
        orders.claim_key,
        document.document_key,
        document.currency_code,
        document.is_credit,
        document.settles_itself,
        document.document_date,
        coalesce(document.header_total_amount, document.total_amount) as billed_amount,
        case when document.settles_itself then 0 else coalesce(ageing.open_amount, 0) end as open_amount,
        case when document.settles_itself then 0 else coalesce(ageing.group_open_amount, 0) end as group_open_amount,
        ageing.bucket
    from orders
    inner join {{ judged }} as judged on orders.document_key = judged.group_key
    inner join {{ ref_current('int_rec_documents') }} as document on judged.document_key = document.document_key
    left join {{ ref_current('fin_ar_ageing') }} as ageing on document.document_key = ageing.document_key
    where
        judged.hop = 'order_invoice'
        and judged.side = 'right'
        and judged.outcome <> 'scoped_out'
        and document.role = 'billing'
        and not document.is_void
        and document.document_date <= {{ as_of_date }}
),

paid as (
    select
        bills.document_key,
        max(settlement.applied_date) as paid_date
    from bills
    inner join {{ ref('int_settlements__unioned') }} as settlement
        on bills.document_key = settlement.invoice_document_key
    where settlement.payment_type = 'payment' and settlement.applied_date <= {{ as_of_date }}
    group by bills.document_key
),

summed as (
    select
        bills.claim_key,
        bills.currency_code,
        count(*) as bill_count,
        sum(bills.billed_amount) as billed_amount,
        sum(bills.billed_amount - bills.open_amount) as paid_amount,
        sum(bills.open_amount) as open_amount,
        sum(case when bills.open_amount <> bills.billed_amount then bills.open_amount else 0 end) as short_paid_amount,
        sum(case when bills.open_amount = bills.billed_amount then bills.open_amount else 0 end) as unpaid_amount,
        {% for column, bucket in [
            ('not_due', 'current'), ('overdue_30', '1-30'), ('overdue_60', '31-60'), ('overdue_90', '61-90'),
            ('overdue_more', '90+'), ('credit', 'credit')
        ] -%}
        sum(case when bills.bucket = '{{ bucket }}' then bills.open_amount else 0 end) as {{ column }}_amount,
        {% endfor -%}
        sum(bills.group_open_amount) as group_open_amount,
        min(case when not bills.is_credit then bills.document_date end) as billed_date,
        max(case when bills.settles_itself and not bills.is_credit then bills.document_date else paid.paid_date end)
            as paid_date
    from bills
    left join paid on bills.document_key = paid.document_key
    group by bills.claim_key, bills.currency_code
),

-- A claim's own row, whether anything was billed or not; and one for each other currency that it was billed in.
cells as (
    select
        claim_key,
        currency_code,
        1 as is_own
    from claims
    union all
    select
        summed.claim_key,
        summed.currency_code,
        0 as is_own
    from summed
    inner join claims on summed.claim_key = claims.claim_key
    where summed.currency_code <> claims.currency_code
),

joined as (
    select
        claims.claim_key,
        claims.connection,
        claims.business_unit,
        claims.legal_entity_id,
        claims.payer_key,
        claims.claim_document_key,
        claims.claim_number,
        claims.encounter_number,
        claims.claim_status,
        claims.encounter_date,
        claims.claimed_date,
        claims.decided_date,
        cells.currency_code,
        cells.is_own,
        cells.is_own * claims.charged_amount as charged_amount,
        cells.is_own * claims.approved_amount as approved_amount,
        cells.is_own * coalesce(claims.payer_paid_amount, 0) as payer_paid_amount,
        summed.billed_date,
        summed.paid_date,
        coalesce(summed.bill_count, 0) as bill_count,
        coalesce(ordered.order_count, 0) as order_count,
        coalesce(anchors.is_anchor, true) as is_anchor,
        {% for amount in [
            'billed', 'paid', 'open', 'short_paid', 'unpaid', 'not_due', 'overdue_30', 'overdue_60', 'overdue_90',
            'overdue_more', 'credit', 'group_open'
        ] -%}
        coalesce(summed.{{ amount }}_amount, 0) as {{ amount }}_amount{% if not loop.last %},{% endif %}
        {% endfor %}
    from cells
    inner join claims on cells.claim_key = claims.claim_key
    left join summed on cells.claim_key = summed.claim_key and cells.currency_code = summed.currency_code
    left join ordered on cells.claim_key = ordered.claim_key
    left join anchors on cells.claim_key = anchors.claim_key
),

customers as (
    select
        customer_key,
        name
    from {{ ref_current('dim_customer') }}
),

cycles as (
    select
        {{ hash_key(['joined.claim_key', 'joined.currency_code']) }} as cycle_key,
        joined.connection,
        joined.business_unit,
        joined.legal_entity_id,
        joined.payer_key,
        customers.name as payer_name,
        joined.claim_document_key,
        joined.claim_number,
        joined.encounter_number,
        joined.claim_status,
        case
            when joined.bill_count > 0 and joined.billed_amount = 0 and joined.open_amount = 0 then 'taken back'
            when joined.bill_count > 0 and joined.open_amount = 0 then 'paid'
            when joined.bill_count > 0 and joined.paid_amount <> 0 then 'paid in part'
            when joined.bill_count > 0 then 'billed'
            when joined.claim_status = 'none' then 'not claimed'
            when joined.claim_status <> 'approved' then joined.claim_status
            when not joined.is_anchor then 'billed with another'
            when joined.order_count > 0 then 'ordered'
            else 'approved'
        end as cycle_status,
        joined.currency_code,
        joined.charged_amount,
        joined.approved_amount,
        case when joined.claim_status = 'approved' then joined.charged_amount - joined.approved_amount else 0 end
            as reduced_amount,
        case when joined.claim_status = 'denied' then joined.charged_amount else 0 end as denied_amount,
        case when joined.claim_status = 'withdrawn' then joined.charged_amount else 0 end as withdrawn_amount,
        case when joined.claim_status in ('pending', 'unknown') then joined.charged_amount else 0 end as pending_amount,
        joined.payer_paid_amount,
        joined.billed_amount,
        joined.paid_amount,
        joined.open_amount,
        joined.short_paid_amount,
        joined.unpaid_amount,
        joined.not_due_amount,
        joined.overdue_30_amount,
        joined.overdue_60_amount,
        joined.overdue_90_amount,
        joined.overdue_more_amount,
        joined.credit_amount,
        {{ group_currency() }} as group_currency_code,
        joined.group_open_amount,
        joined.bill_count,
        {% for name, first, last in [
            ('encounter_to_claim', 'encounter_date', 'claimed_date'), ('claim_to_decision', 'claimed_date', 'decided_date'),
            ('decision_to_bill', 'decided_date', 'billed_date'), ('bill_to_payment', 'billed_date', 'paid_date'),
            ('encounter_to_payment', 'encounter_date', 'paid_date')
        ] -%}
        {{ dbt.datediff('joined.' ~ first, 'joined.' ~ last, 'day') }} as {{ name }}_days,  -- noqa: LT05
        {% endfor -%}
        joined.encounter_date,
        joined.claimed_date,
        joined.decided_date,
        joined.billed_date,
        joined.paid_date,
        {{ as_of_date }} as as_of_date
    from joined
    left join customers on joined.payer_key = customers.customer_key
)

{{ versioned('cycles') }}
