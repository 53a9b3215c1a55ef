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
        documents.connection,
        documents.document_id,
        case when documents.fx_rate <> 0 then documents.net_amount / documents.fx_rate end as inverted_amount,
        tolerance.inverse_rate_bp,
        {{ minor_unit('documents.functional_minor_units') }} * documents.line_count as line_rounding_amount,
        {{ minor_unit('documents.functional_minor_units') }} * (
            case
                when documents.line_count * tolerance.rounding_units_per_line < tolerance.rounding_units_most
                    then documents.line_count * tolerance.rounding_units_per_line
                else tolerance.rounding_units_most
            end
        ) as rounding_amount
    from groups
    {{ look_up(ref_current('int_rec_documents'), 'documents', 'groups.group_key = documents.document_key') }}
    cross join {{ ref('rec_hop_tolerances') }} as tolerance
    where tolerance.hop = 'invoice_ledger'
),

moved as (
    select
        members.group_key,
        members.period as counter_period,
        compared.period,
        compared.connection,
        compared.document_id,
        sum(members.amount) as amount
    from members
    inner join compared on members.group_key = compared.group_key
    where members.side = 'right' and members.period <> compared.period
    group by members.group_key, members.period, compared.period, compared.connection, compared.document_id
),

-- Moved to a later period: by choice, or because the document came into being when its own was locked already.
timed as (
    select
        moved.*,
        coalesce(moved.counter_period > moved.period and header.created_at > locked.locked_at, false) as is_after_the_lock
    from moved
    {{ look_up(
        ref('int_documents__unioned'), 'header',
        'moved.connection = header.connection and moved.document_id = header.document_id and moved.group_key = header.document_key'
    ) }}
    left join {{ ref_current('int_periods__locked') }} as locked
        on moved.connection = locked.connection and moved.period = locked.period
    where moved.amount <> 0
),

-- What was posted is the amount divided by the day's rate, and not by accident near it: a rate of about one is its own inverse.
turned as (
    select
        *,
        coalesce(
            posting_count > 0
            and not is_void
            and abs(right_amount - inverted_amount) <= line_rounding_amount + abs(inverted_amount) * inverse_rate_bp / 10000
            and 4 * abs(right_amount - inverted_amount) < abs(difference_amount),
            false
        ) as is_inverted
    from compared
),

rated as (
    select
        *,
        case
            when is_inverted then difference_amount
            when posting_count > 0 and not is_void and fx_rate <> posted_fx_rate then rate_amount
            else 0
        end as rated_amount
    from turned
)

select
    'invoice_ledger' as hop,
    timed.group_key,
    timed.group_key as document_key,
    case when timed.is_after_the_lock then 'B2' else 'B1' end as reason_code,
    timed.amount,
    compared.functional_currency_code as currency_code,
    timed.period,
    timed.counter_period,
    'dated ' || timed.period || case when timed.is_after_the_lock then ', entered after its lock' else '' end
    || ', posted to ' || timed.counter_period as evidence
from timed
inner join compared on timed.group_key = compared.group_key
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
    case when is_inverted then 'D2' else 'D1' end as reason_code,
    rated_amount as amount,
    functional_currency_code as currency_code,
    period,
    cast(null as {{ dbt.type_string() }}) as counter_period,
    case
        when is_inverted then 'posted as the amount divided by the day''s rate of ' || cast(fx_rate as {{ dbt.type_string() }})
        else
            'posted at ' || cast(posted_fx_rate as {{ dbt.type_string() }}) || ', the day''s rate is '
            || cast(fx_rate as {{ dbt.type_string() }})
    end as evidence
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
