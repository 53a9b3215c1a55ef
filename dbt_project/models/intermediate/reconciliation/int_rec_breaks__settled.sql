-- Why billing and cash differ. Anchored at the billing document: what is open of it, and why. Cash of no invoice is A7.
with members as (
    select * from {{ ref('int_rec_members') }}
    where hop = 'invoice_cash'
),

groups as (
    select
        group_key,
        sum(case when side = 'left' then amount else -amount end) as difference_amount,
        sum(case when side = 'right' then amount else 0 end) as cash_amount,
        min(case when side = 'right' then document_key end) as cash_document_key
    from members
    group by group_key
),

discounts as (
    select
        groups.group_key,
        sum(settlement.discount_amount) as discount_amount
    from groups
    inner join {{ ref('int_settlements__unioned') }} as settlement on groups.group_key = settlement.invoice_document_key
    group by groups.group_key
),

anchored as (
    select
        groups.group_key,
        groups.difference_amount,
        groups.cash_amount,
        groups.cash_document_key,
        anchor.role,
        anchor.currency_code,
        anchor.is_void,
        anchor.is_credit,
        anchor.due_date,
        anchor.total_amount,
        anchor.total_amount - coalesce(anchor.header_total_amount, anchor.total_amount) as header_difference,
        coalesce(discounts.discount_amount, 0) as discount_amount,
        {{ minor_unit('anchor.minor_units') }} * (
            case
                when anchor.line_count * tolerance.rounding_units_per_line < tolerance.rounding_units_most
                    then anchor.line_count * tolerance.rounding_units_per_line
                else tolerance.rounding_units_most
            end
        ) as rounding_amount
    from groups
    inner join {{ ref_current('int_rec_documents') }} as anchor on groups.group_key = anchor.document_key
    cross join {{ ref('rec_hop_tolerances') }} as tolerance
    left join discounts on groups.group_key = discounts.group_key
    where tolerance.hop = 'invoice_cash' and groups.difference_amount <> 0
),

-- The header may ask for more or less than the lines say; what the header asks for and nobody paid is open.
opened as (
    select
        *,
        case when is_void then 0 else header_difference end as header_amount,
        case when is_void then 0 else discount_amount end as discounted_amount,
        difference_amount
        - case when is_void then 0 else header_difference end
        - case when is_void then 0 else discount_amount end as open_amount
    from anchored
),

of_billing as (
    select
        group_key,
        'C8' as reason_code,
        header_amount as amount,
        'lines less header' as evidence,
        cash_document_key
    from opened
    where role = 'billing' and header_amount <> 0
    union all
    select
        group_key,
        'C1' as reason_code,
        discounted_amount as amount,
        'discount taken on payment, or adjusted by hand' as evidence,
        cash_document_key
    from opened
    where role = 'billing' and discounted_amount <> 0
    union all
    select
        group_key,
        case
            when is_void then 'G1'
            when is_credit and open_amount < 0 then 'C5'
            when cash_amount <> 0 and abs(open_amount) <= rounding_amount then 'C6'
            when due_date >= cast('{{ var("as_of_date") }}' as date) then 'B3'
            else 'A10'
        end as reason_code,
        open_amount as amount,
        case
            when is_void then 'void, and yet settled'
            when is_credit and open_amount < 0 then 'credit memo that is applied to nothing yet'
            when
                cash_amount <> 0 and abs(open_amount) <= rounding_amount
                then 'at most one minor unit a line, and two in all'
            else 'open, due ' || cast(due_date as {{ dbt.type_string() }})
        end as evidence,
        cash_document_key
    from opened
    where
        role = 'billing'
        and open_amount <> 0
        -- settled by more than it asks for: no evidence says why, unless it is void
        and (is_void or is_credit or open_amount > 0 or abs(open_amount) <= rounding_amount)
),

unapplied as (
    select
        members.group_key,
        case when members.amount * own.total_amount > 0 then 'A7' end as reason_code,
        -members.amount as amount,
        case
            when members.amount = own.total_amount then 'applied to nothing'
            else 'the rest of a payment of ' || cast(own.total_amount as {{ dbt.type_string() }})
        end as evidence,
        cast(null as {{ dbt.type_string() }}) as cash_document_key
    from members
    inner join {{ ref_current('int_rec_documents') }} as own on members.document_key = own.document_key
    where members.side = 'right' and members.piece is null
),

-- Applied to a document that nobody has.
astray as (
    select
        members.group_key,
        members.document_key,
        -members.amount as amount,
        'applied to a document that is not there' as evidence
    from members
    left join {{ ref_current('int_rec_documents') }} as settled
        on members.piece = settled.document_key and settled.role = 'billing'
    where members.piece is not null and settled.document_key is null
)

select
    'invoice_cash' as hop,
    of_billing.group_key,
    of_billing.group_key as document_key,
    of_billing.cash_document_key as counter_document_key,
    of_billing.reason_code,
    of_billing.amount,
    documents.currency_code,
    of_billing.evidence
from of_billing
inner join {{ ref_current('int_rec_documents') }} as documents on of_billing.group_key = documents.document_key
union all
select
    'invoice_cash' as hop,
    unapplied.group_key,
    unapplied.group_key as document_key,
    unapplied.cash_document_key as counter_document_key,
    unapplied.reason_code,
    unapplied.amount,
    documents.currency_code,
    unapplied.evidence
from unapplied
inner join {{ ref_current('int_rec_documents') }} as documents on unapplied.group_key = documents.document_key
where unapplied.reason_code is not null
union all
select
    'invoice_cash' as hop,
    astray.group_key,
    astray.document_key,
    cast(null as {{ dbt.type_string() }}) as counter_document_key,
    'A9' as reason_code,
    astray.amount,
    documents.currency_code,
    astray.evidence
from astray
inner join {{ ref_current('int_rec_documents') }} as documents on astray.document_key = documents.document_key
