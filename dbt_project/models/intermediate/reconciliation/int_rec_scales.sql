-- Groups whose sides differ by a scale: cents for units, thousands, or any other constant ratio. The quantities agree, one side is
-- a multiple of the other, and the same multiple stands in several documents of these two connections and this currency, which
-- are not all of the same amount. How many, and from which multiple on, is said in rec_hop_tolerances: below it, and with
-- fewer documents, the same picture is a price.
--
-- A multiple is told to one part in five thousand, which the rounding of small amounts blurs: neighbours count together. A
-- partial build judges all groups that may be evidence (int_rec_touched), so it counts what a complete build counts.
with balances as (
    select
        balances.hop,
        balances.group_key,
        anchor.connection as left_connection,
        follower.connection as right_connection,
        anchor.currency_code,
        balances.left_amount,
        balances.core_amount,
        tolerance.scale_documents,
        tolerance.scale_factor
    from {{ ref('int_rec_balances') }} as balances
    inner join {{ ref_current('int_rec_documents') }} as anchor on balances.group_key = anchor.document_key
    inner join {{ ref_current('int_rec_documents') }} as follower on balances.core_document_key = follower.document_key
    inner join {{ ref('rec_hop_tolerances') }} as tolerance on balances.hop = tolerance.hop
    left join {{ ref('int_rec_line_effects') }} as effects
        on balances.hop = effects.hop and balances.group_key = effects.group_key
    where
        balances.left_amount * balances.core_amount > 0
        and abs(balances.base_amount) > balances.rounding_amount
        -- a deal may have no lines; an order and its billing have
        and (effects.group_key is not null or balances.hop = 'deal_order')
        and coalesce(effects.missing_amount, 0) = 0
        and coalesce(effects.excess_amount, 0) = 0
),

sided as (
    select
        *,
        case when abs(left_amount) > abs(core_amount) then 'left' else 'right' end as greater_side,
        case
            when abs(left_amount) > abs(core_amount) then left_amount / core_amount
            else core_amount / left_amount
        end as ratio
    from balances
),

multiples as (
    select
        *,
        cast(floor(ln(ratio) * 5000) as integer) as bucket
    from sided
    where ratio > scale_factor
),

buckets as (
    select
        hop,
        left_connection,
        right_connection,
        currency_code,
        greater_side,
        bucket,
        count(*) as document_count,
        min(left_amount) as least_amount,
        max(left_amount) as most_amount
    from multiples
    group by hop, left_connection, right_connection, currency_code, greater_side, bucket
),

supported as (
    select
        multiples.hop,
        multiples.group_key,
        multiples.greater_side,
        multiples.scale_documents,
        min(multiples.ratio) as ratio,
        sum(buckets.document_count) as document_count,
        min(buckets.least_amount) as least_amount,
        max(buckets.most_amount) as most_amount
    from multiples
    inner join buckets
        on
            multiples.hop = buckets.hop
            and multiples.left_connection = buckets.left_connection
            and multiples.right_connection = buckets.right_connection
            and multiples.currency_code = buckets.currency_code
            and multiples.greater_side = buckets.greater_side
            and buckets.bucket between multiples.bucket - 1 and multiples.bucket + 1
    group by multiples.hop, multiples.group_key, multiples.greater_side, multiples.scale_documents
)

select
    hop,
    group_key,
    greater_side,
    {{ round_minor('ratio', 4) }} as ratio
from supported
where document_count >= scale_documents and least_amount <> most_amount
