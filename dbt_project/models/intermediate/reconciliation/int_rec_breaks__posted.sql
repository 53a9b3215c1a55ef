-- Why billing at the day's rate and posted revenue differ. A cut-off moves an amount between two periods; the rate, rounding
-- and what was never posted are differences of amount, in the document's own period.
with members as (
    select * from {{ ref('int_rec_members') }}
    where hop = 'invoice_ledger'
),

groups as (
    select
        members.group_key,
        max(case when members.side = 'left' then members.period end) as period,
        sum(case when members.side = 'left' then members.amount else 0 end) as left_amount,
        sum(case when members.side = 'right' then members.amount else 0 end) as right_amount,
        sum(case when members.side = 'right' then 1 else 0 end) as posting_count
    from members
    group by members.group_key
),

compared as (
    select
        groups.group_key,
        groups.period,
        groups.left_amount,
        groups.right_amount,
        groups.left_amount - groups.right_amount as difference_amount,
        groups.posting_count,
        documents.is_void,
        documents.functional_currency_code,
        documents.fx_rate,
        documents.posted_fx_rate,
        documents.functional_net_amount - documents.posted_rate_net_amount as rate_amount,
        {{ minor_unit('documents.functional_minor_units') }} * (
            case
                when documents.line_count * tolerance.rounding_units_per_line < tolerance.rounding_units_most
                    then documents.line_count * tolerance.rounding_units_per_line
                else tolerance.rounding_units_most
            end
        ) as rounding_amount
    from groups
    inner join {{ ref_current('int_rec_documents') }} as documents on groups.group_key = documents.document_key
    cross join {{ ref('rec_hop_tolerances') }} as tolerance
    where tolerance.hop = 'invoice_ledger'
),

moved as (
    select
        members.group_key,
        members.period as counter_period,
        compared.period,
        sum(members.amount) as amount
    from members
    inner join compared on members.group_key = compared.group_key
    where members.side = 'right' and members.period <> compared.period
    group by members.group_key, members.period, compared.period
),

rated as (
    select
        *,
        case
            when posting_count > 0 and not is_void and fx_rate <> posted_fx_rate then rate_amount
            else 0
        end as rated_amount
    from compared
)

select
    'invoice_ledger' as hop,
    moved.group_key,
    moved.group_key as document_key,
    'B1' as reason_code,
    moved.amount,
    compared.functional_currency_code as currency_code,
    moved.period,
    moved.counter_period,
    'dated ' || moved.period || ', posted to ' || moved.counter_period as evidence
from moved
inner join compared on moved.group_key = compared.group_key
where moved.amount <> 0
union all
select
    'invoice_ledger' as hop,
    group_key,
    group_key as document_key,
    case
        when is_void then 'G1'
        else 'A5'
    end as reason_code,
    difference_amount as amount,
    functional_currency_code as currency_code,
    period,
    cast(null as {{ dbt.type_string() }}) as counter_period,
    case
        when is_void then 'void, and yet posted'
        else 'approved and posting, without rows in the ledger'
    end as evidence
from rated
where difference_amount <> 0 and (posting_count = 0 or is_void)
union all
select
    'invoice_ledger' as hop,
    group_key,
    group_key as document_key,
    'D1' as reason_code,
    rated_amount as amount,
    functional_currency_code as currency_code,
    period,
    cast(null as {{ dbt.type_string() }}) as counter_period,
    'posted at ' || cast(posted_fx_rate as {{ dbt.type_string() }}) || ', the day''s rate is '
    || cast(fx_rate as {{ dbt.type_string() }}) as evidence
from rated
where rated_amount <> 0
union all
select
    'invoice_ledger' as hop,
    group_key,
    group_key as document_key,
    'C6' as reason_code,
    difference_amount - rated_amount as amount,
    functional_currency_code as currency_code,
    period,
    cast(null as {{ dbt.type_string() }}) as counter_period,
    'at most one minor unit a line, and two in all' as evidence
from rated
where
    posting_count > 0
    and not is_void
    and difference_amount - rated_amount <> 0
    and abs(difference_amount - rated_amount) <= rounding_amount
