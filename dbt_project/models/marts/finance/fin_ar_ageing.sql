-- What customers owe as of a date, by document: applications after that date do not count, a document due that day is current.
-- Credits and cash that are applied to nothing stand below zero in buckets of their own. By the header, which is what the
-- customer was asked for.
-- The age of a row is that of the day when it was recorded: a document that only grew older is no new version until it
-- enters the next bucket.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='ageing_key', full_refresh=false,
    scope='document', scope_columns=['document_key'], scope_model='int_receivables__touched',
    lookups=['customer_key', 'due_date'], hash_exclude=['as_of_date', 'days_overdue']
) }}

{% set as_of_date %}cast('{{ var("as_of_date") }}' as date){% endset %}
{% set touched = ref('int_receivables__touched') %}
{% set receivables -%}
    (
        select * from {{ ref_current('int_rec_documents') }} as document
        where
            scope_reason is null
            and document_date <= {{ as_of_date }}
            and (role = 'payment' or (role = 'billing' and not settles_itself))
            and not is_void
    )
{%- endset %}
with receivables as (
    select
        receivable.*,
        {{ as_of_date }} as as_of_date
    from {{ receivables }} as receivable
    {% if is_partial() -%}
    inner join {{ touched }} as touched on receivable.document_key = touched.document_key
    {%- endif %}
),

-- Each end of an application counts while the other is a receivable, too. An adjustment is none: what it takes off is gone.
settled as (
    {% for end, other, kind in [('payment', 'invoice', 'inner'), ('invoice', 'payment', 'left')] -%}
    select
        receivables.document_key,
        sum(abs(settlement.applied_amount) + coalesce(settlement.discount_amount, 0)) as amount
    from receivables
    {{ look_up(ref('int_settlements__unioned'), 'settlement', 'receivables.document_key = settlement.' ~ end ~ '_document_key') }}
    {{ look_up(receivables, 'other', 'settlement.' ~ other ~ '_document_key = other.document_key', kind) }}
    where
        settlement.applied_date <= {{ as_of_date }}
        {% if kind == 'left' %}and (other.document_key is not null or settlement.payment_type = 'adjustment'){% endif %}
    group by receivables.document_key
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

settled_sum as (
    select
        document_key,
        sum(amount) as amount
    from settled
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
                    - case when receivables.total_amount < 0 then -1 else 1 end * coalesce(settled_sum.amount, 0)
                )
            else
                coalesce(receivables.header_total_amount, receivables.total_amount)
                - case when receivables.is_credit then -1 else 1 end * coalesce(settled_sum.amount, 0)
        end as open_amount
    from receivables
    left join settled_sum on receivables.document_key = settled_sum.document_key
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
