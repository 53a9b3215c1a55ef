-- Per group of deal → order and order → invoice that has a left side: what is left to explain after credits, copies and
-- wrong currency codes (`base_amount`), and the facts about the group that explain it.
with members as (
    select * from {{ ref('int_rec_members') }}
    where hop in ('deal_order', 'order_invoice')
),

lefts as (
    select
        members.hop,
        members.group_key,
        sum(members.amount) as left_amount,
        sum(documents.tax_amount) as left_tax_amount,
        sum(documents.line_count) as left_line_count,
        max(case when documents.is_void then 1 else 0 end) as left_void_count,
        max(case when documents.has_billing_schedule then 1 else 0 end) as schedule_count,
        max(documents.minor_units) as minor_units
    from members
    inner join {{ ref_current('int_rec_documents') }} as documents on members.document_key = documents.document_key
    where members.side = 'left'
    group by members.hop, members.group_key
),

rights as (
    select
        followers.hop,
        followers.group_key,
        count(*) as right_count,
        sum(case when followers.is_core and not followers.is_void then 1 else 0 end) as core_count,
        sum(case when followers.is_core then followers.amount else 0 end) as core_amount,
        sum(case when followers.is_core then documents.tax_amount else 0 end) as core_tax_amount,
        sum(case when followers.is_core then documents.line_count else 0 end) as core_line_count,
        sum(case when followers.is_void then 1 else 0 end) as right_void_count,
        max(case when followers.is_void then followers.document_key end) as void_document_key,
        min(case when followers.is_core and not followers.is_void then followers.document_key end) as core_document_key
    from {{ ref('int_rec_followers') }} as followers
    inner join {{ ref_current('int_rec_documents') }} as documents on followers.document_key = documents.document_key
    group by followers.hop, followers.group_key
)

select
    lefts.hop,
    lefts.group_key,
    rights.void_document_key,
    rights.core_document_key,
    lefts.left_amount,
    lefts.left_tax_amount,
    coalesce(rights.core_amount, 0) as core_amount,
    coalesce(rights.core_tax_amount, 0) as core_tax_amount,
    lefts.left_amount - coalesce(rights.core_amount, 0) as base_amount,
    {{ minor_unit('lefts.minor_units') }} * (
        case
            when
                greatest(lefts.left_line_count, coalesce(rights.core_line_count, 0)) * tolerance.rounding_units_per_line
                < tolerance.rounding_units_most
                then
                    greatest(lefts.left_line_count, coalesce(rights.core_line_count, 0))
                    * tolerance.rounding_units_per_line
            else tolerance.rounding_units_most
        end
    ) as rounding_amount,
    lefts.minor_units,
    coalesce(rights.right_count, 0) as right_count,
    coalesce(rights.core_count, 0) as core_count,
    lefts.left_void_count > 0 as has_left_void,
    coalesce(rights.right_void_count, 0) > 0 as has_right_void,
    lefts.schedule_count > 0 as has_schedule
from lefts
inner join {{ ref('rec_hop_tolerances') }} as tolerance on lefts.hop = tolerance.hop
left join rights on lefts.hop = rights.hop and lefts.group_key = rights.group_key
