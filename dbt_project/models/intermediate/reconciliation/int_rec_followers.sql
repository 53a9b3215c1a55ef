-- The right side of deal → order and order → invoice, document by document: what of it follows up the left side (`core`),
-- and what is a credit, a second copy, or in another currency.
with members as (
    select * from {{ ref('int_rec_members') }}
    where hop in ('deal_order', 'order_invoice')
),

lefts as (
    select
        members.hop,
        members.group_key,
        min(case when members.document_key = members.group_key then members.currency_code end) as currency_code,
        sum(members.amount) as amount,
        sum(documents.product_quantity) as quantity
    from members
    inner join {{ ref_current('int_rec_documents') }} as documents on members.document_key = documents.document_key
    where members.side = 'left'
    group by members.hop, members.group_key
),

rights as (
    select
        members.hop,
        members.group_key,
        members.document_key,
        members.currency_code,
        members.amount,
        lefts.currency_code as left_currency_code,
        lefts.amount as left_amount,
        lefts.quantity as left_quantity,
        documents.document_number,
        documents.reference_token,
        documents.product_quantity,
        {{ minor_unit("documents.minor_units") }} as minor_unit,
        documents.is_credit,
        documents.is_void,
        members.currency_code <> lefts.currency_code as is_other_currency,
        documents.document_date,
        tolerance.duplicate_days
    from members
    inner join lefts on members.hop = lefts.hop and members.group_key = lefts.group_key
    inner join {{ ref_current('int_rec_documents') }} as documents on members.document_key = documents.document_key
    inner join {{ ref('rec_hop_tolerances') }} as tolerance on members.hop = tolerance.hop
    where members.side = 'right'
),

compared as (
    select
        *,
        sum(case when not is_credit then amount else 0 end) over (partition by group_key, hop, currency_code) as side_amount,
        sum(case when not is_credit then product_quantity else 0 end) over (partition by group_key, hop) as side_quantity,
        sum(case when not is_credit then amount else 0 end) over (partition by group_key, hop) as figures,
        row_number() over (
            partition by group_key, hop, currency_code, amount, reference_token, is_credit, is_void
            order by document_date, document_number, document_key
        ) as repetition,
        first_value(document_key) over (
            partition by group_key, hop, currency_code, amount, reference_token, is_credit, is_void
            order by document_date, document_number, document_key
        ) as first_document_key,
        first_value(document_date) over (
            partition by group_key, hop, currency_code, amount, reference_token, is_credit, is_void
            order by document_date, document_number, document_key
        ) as first_date
    from rights
),

suspected as (
    select
        *,
        repetition > 1
        and not is_credit
        and not is_void
        and amount > 0
        and {{ dbt.datediff('first_date', 'document_date', 'day') }} <= duplicate_days as is_suspect  -- noqa: LT05
    from compared
),

-- A copy is a copy only if the left side is exceeded by it, in money or in units: equal instalments are none.
exceeding as (
    select
        *,
        sum(case when is_suspect then amount else 0 end) over (
            partition by group_key, hop
            order by repetition desc, document_date desc, document_key
            rows between unbounded preceding and current row
        ) as suspect_amount,
        sum(case when is_suspect then product_quantity else 0 end) over (
            partition by group_key, hop
            order by repetition desc, document_date desc, document_key
            rows between unbounded preceding and current row
        ) as suspect_quantity
    from suspected
),

judged as (
    select
        *,
        is_suspect and (
            suspect_amount <= figures - left_amount
            or (left_quantity > 0 and suspect_quantity <= side_quantity - left_quantity)
        ) as is_duplicate
    from exceeding
)

select
    hop,
    group_key,
    document_key,
    document_number,
    currency_code,
    left_currency_code,
    amount,
    case when is_duplicate then first_document_key end as first_document_key,
    is_credit,
    is_void,
    is_duplicate,
    is_other_currency,
    -- Another code on the same figures is a wrong code. Other figures in another currency are nobody's counterpart.
    is_other_currency and not is_credit and abs(side_amount - left_amount) <= 2 * minor_unit as is_wrong_code,
    not is_credit and not is_duplicate
    and (not is_other_currency or abs(side_amount - left_amount) <= 2 * minor_unit) as is_core,
    document_date
from judged
