-- Documents on the right side of deal → order and order → invoice that nothing on the left side stands for: a second copy,
-- a reference to nothing, a reference that somebody else's document carries, or no reference at all.
with alone as (
    select members.hop, members.group_key, members.document_key, members.currency_code, members.amount
    from {{ ref('int_rec_members') }} as members
    left join (
        select distinct hop, group_key
        from {{ ref('int_rec_members') }}
        where side = 'left'
    ) as lefts on members.hop = lefts.hop and members.group_key = lefts.group_key
    where
        members.hop in ('deal_order', 'order_invoice')
        and members.side = 'right'
        and members.amount <> 0
        and lefts.group_key is null
),

copies as (
    select
        alone.hop,
        alone.document_key,
        min(twin.document_key) as twin_document_key
    from alone
    inner join {{ ref_current('int_rec_documents') }} as own on alone.document_key = own.document_key
    inner join {{ ref_current('int_rec_documents') }} as twin
        on own.role = twin.role
        and own.business_unit = twin.business_unit
        and own.customer_key = twin.customer_key
        and own.currency_code = twin.currency_code
        and own.net_amount = twin.net_amount
        and own.reference_token = twin.reference_token
        and own.document_key <> twin.document_key
    inner join {{ ref('rec_hop_tolerances') }} as tolerance on alone.hop = tolerance.hop
    where
        twin.scope_reason is null
        and not twin.is_void
        and not own.is_credit
        and (
            twin.document_date < own.document_date
            or (twin.document_date = own.document_date and twin.document_number < own.document_number)
        )
        and {{ dbt.datediff('twin.document_date', 'own.document_date', 'day') }} <= tolerance.duplicate_days  -- noqa: LT05
    group by alone.hop, alone.document_key
),

loose as (
    select
        hop,
        document_key,
        max(case when is_known_elsewhere then 1 else 0 end) as elsewhere_count,
        max(case when is_other_customer then 1 else 0 end) as other_customer_count,
        max(mistaken_key) as mistaken_key,
        max(predecessor_key) as predecessor_key,
        min(reference) as reference
    from {{ ref('int_rec_loose_ends') }}
    group by hop, document_key
),

-- Whatever it refers to: a person said that it does not belong there.
refused as (
    select distinct
        hop,
        right_document_key
    from {{ ref('int_rec_pairs__decided') }}
    where not is_match
)

select
    alone.hop,
    alone.group_key,
    alone.document_key,
    coalesce(copies.twin_document_key, loose.predecessor_key, loose.mistaken_key) as counter_document_key,
    case
        when copies.twin_document_key is not null then 'F1'
        when refused.hop is not null then 'A4'
        when own.is_credit and predecessor.role = 'billing' then 'C5'
        when predecessor.document_type = 'crm_order' then 'A8'
        when loose.document_key is null or loose.predecessor_key is not null then 'A4'
        when loose.other_customer_count > 0 then 'E1'
        when loose.elsewhere_count > 0 then 'A4'
        else 'A9'
    end as reason_code,
    -alone.amount as amount,
    alone.currency_code,
    case when loose.elsewhere_count > 0 then 0.8 else 1 end as confidence,
    case
        when copies.twin_document_key is not null then 'same customer, amount, currency and reference within days'
        when refused.hop is not null then 'a person decided that it does not belong to what it was taken for'
        when own.is_credit and predecessor.role = 'billing' then 'credits an invoice that has no order'
        when loose.document_key is null then 'no reference to a predecessor'
        when predecessor.document_type = 'crm_order' then 'its deal is lost, reopened or deleted'
        when loose.predecessor_key is not null then 'its predecessor is out of scope'
        when loose.other_customer_count > 0 then 'refers to ' || loose.reference || ', which another customer''s document carries'
        when loose.elsewhere_count > 0 then 'refers to ' || loose.reference || ', which several documents carry'
        else 'refers to ' || loose.reference || ', which no document carries'
    end as evidence
from alone
inner join {{ ref_current('int_rec_documents') }} as own on alone.document_key = own.document_key
left join copies on alone.hop = copies.hop and alone.document_key = copies.document_key
left join loose on alone.hop = loose.hop and alone.document_key = loose.document_key
left join refused on alone.hop = refused.hop and alone.document_key = refused.right_document_key
left join {{ ref_current('int_rec_documents') }} as predecessor on loose.predecessor_key = predecessor.document_key
