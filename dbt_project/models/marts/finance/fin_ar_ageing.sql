-- What customers owe as of a date, by document: applications after that date do not count, a document due that day is current.
-- Credits and cash that are applied to nothing stand below zero in buckets of their own. By the header, which is what the
-- customer was asked for.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='ageing_key') }}

with documents as (
    select
        *,
        cast('{{ var("as_of_date") }}' as date) as as_of_date
    from {{ ref('int_rec_documents') }}
    where scope_reason is null
),

receivables as (
    select *
    from documents
    where
        document_date <= as_of_date
        and (role = 'payment' or (role = 'billing' and not settles_itself))
        and not is_void
),

applied as (
    select payment_document_key, invoice_document_key, sum(abs(applied_amount) + coalesce(discount_amount, 0)) as amount
    from {{ ref('int_settlements__unioned') }}
    where applied_date <= cast('{{ var("as_of_date") }}' as date)
    group by payment_document_key, invoice_document_key
),

between_them as (
    select applied.payment_document_key, applied.invoice_document_key, applied.amount
    from applied
    inner join receivables as payment on applied.payment_document_key = payment.document_key
    inner join receivables as invoice on applied.invoice_document_key = invoice.document_key
),

settled as (
    select document_key, sum(amount) as amount
    from (
        select payment_document_key as document_key, amount from between_them
        union all
        select invoice_document_key as document_key, amount from between_them
    ) as both_ends
    group by document_key
),

-- Every application takes its amount off both ends: off the invoice, and off the payment or credit.
opened as (
    select
        receivables.*,
        case
            when receivables.role = 'payment'
                then -(
                    receivables.total_amount
                    - case when receivables.total_amount < 0 then -1 else 1 end * coalesce(settled.amount, 0)
                )
            else
                coalesce(receivables.header_total_amount, receivables.total_amount)
                - case when receivables.is_credit then -1 else 1 end * coalesce(settled.amount, 0)
        end as open_amount
    from receivables
    left join settled on receivables.document_key = settled.document_key
),

customers as (
    select customer_key, name
    from {{ ref_current('dim_customer') }}
),

aged as (
    select
        {{ hash_key(['opened.document_key']) }} as ageing_key,
        opened.as_of_date,
        opened.legal_entity_id,
        opened.customer_key,
        customers.name as customer_name,
        opened.document_key,
        opened.document_type,
        opened.document_number,
        opened.currency_code,
        opened.open_amount,
        {{ round_minor('opened.open_amount * opened.fx_rate', 'opened.functional_minor_units') }} as functional_open_amount,
        {{ round_minor('opened.open_amount * opened.group_rate', 'in_group.minor_units') }} as group_open_amount,
        opened.due_date,
        {{ dbt.datediff('opened.due_date', 'opened.as_of_date', 'day') }} as days_overdue,  -- noqa: LT05
        opened.role,
        opened.is_credit
    from opened
    cross join {{ ref('dim_currency') }} as in_group
    left join customers on opened.customer_key = customers.customer_key
    where opened.open_amount <> 0 and in_group.currency_code = {{ group_currency() }}
),

bucketed as (
    select
        *,
        case
            when role = 'payment' then 'unapplied'
            when is_credit or open_amount < 0 then 'credit'
            when days_overdue <= 0 then 'current'
            when days_overdue <= 30 then '1-30'
            when days_overdue <= 60 then '31-60'
            when days_overdue <= 90 then '61-90'
            else '90+'
        end as bucket
    from aged
)

{{ versioned('bucketed') }}
