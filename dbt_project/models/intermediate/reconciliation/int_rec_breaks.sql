-- All breaks of all hops, named by a key that outlives rebuilds, with the cell in which they count. What evidence does not
-- explain of a cell (group, period, currency) is X: the sum of a group's breaks is its gap because of X, and X must be zero.
with found as (
    select
        hop,
        group_key,
        document_key,
        counter_document_key,
        reason_code,
        amount,
        currency_code,
        counter_currency_code,
        cast(null as {{ dbt.type_string() }}) as period,
        cast(null as {{ dbt.type_string() }}) as counter_period,
        confidence,
        evidence
    from {{ ref('int_rec_breaks__ordered') }}
    union all
    select
        hop,
        group_key,
        document_key,
        counter_document_key,
        reason_code,
        amount,
        currency_code,
        cast(null as {{ dbt.type_string() }}) as counter_currency_code,
        cast(null as {{ dbt.type_string() }}) as period,
        cast(null as {{ dbt.type_string() }}) as counter_period,
        confidence,
        evidence
    from {{ ref('int_rec_breaks__alone') }}
    union all
    select
        hop,
        group_key,
        document_key,
        counter_document_key,
        reason_code,
        amount,
        currency_code,
        cast(null as {{ dbt.type_string() }}) as counter_currency_code,
        cast(null as {{ dbt.type_string() }}) as period,
        cast(null as {{ dbt.type_string() }}) as counter_period,
        1 as confidence,
        evidence
    from {{ ref('int_rec_breaks__settled') }}
    union all
    select
        hop,
        group_key,
        document_key,
        cast(null as {{ dbt.type_string() }}) as counter_document_key,
        reason_code,
        amount,
        currency_code,
        cast(null as {{ dbt.type_string() }}) as counter_currency_code,
        period,
        counter_period,
        1 as confidence,
        evidence
    from {{ ref('int_rec_breaks__posted') }}
),

cells as (
    select
        hop,
        group_key,
        min(business_unit) as business_unit,
        min(legal_entity_id) as legal_entity_id,
        period,
        currency_code,
        sum(case when side = 'left' then amount else -amount end) as gap_amount,
        sum(case when side = 'left' then group_amount else -group_amount end) as gap_group_amount
    from {{ ref('int_rec_members') }}
    group by hop, group_key, period, currency_code
),

-- A group counts in one period, but for the ledger, whose breaks say their own.
periods as (
    select
        hop,
        group_key,
        min(period) as period
    from cells
    group by hop, group_key
),

placed as (
    select
        found.hop,
        found.group_key,
        found.document_key,
        found.counter_document_key,
        found.reason_code,
        found.amount,
        found.currency_code,
        found.counter_currency_code,
        coalesce(found.period, periods.period) as period,
        found.counter_period,
        found.confidence,
        found.evidence,
        coalesce(found.counter_period, '') as discriminator
    from found
    inner join periods on found.hop = periods.hop and found.group_key = periods.group_key
),

landed as (
    select
        hop,
        group_key,
        period,
        currency_code,
        amount
    from placed
    union all
    select
        hop,
        group_key,
        coalesce(counter_period, period) as period,
        coalesce(counter_currency_code, currency_code) as currency_code,
        -amount as amount
    from placed
    where counter_period is not null or counter_currency_code is not null
),

explained as (
    select
        hop,
        group_key,
        period,
        currency_code,
        sum(amount) as amount
    from landed
    group by hop, group_key, period, currency_code
),

unexplained as (
    select
        coalesce(cells.hop, explained.hop) as hop,
        coalesce(cells.group_key, explained.group_key) as group_key,
        coalesce(cells.period, explained.period) as period,
        coalesce(cells.currency_code, explained.currency_code) as currency_code,
        coalesce(cells.gap_amount, 0) - coalesce(explained.amount, 0) as amount,
        coalesce(cells.gap_amount, 0) as gap_amount
    from cells
    full outer join explained
        on
            cells.hop = explained.hop
            and cells.group_key = explained.group_key
            and cells.period = explained.period
            and cells.currency_code = explained.currency_code
    where coalesce(cells.gap_amount, 0) <> coalesce(explained.amount, 0)
),

named as (
    select
        hop,
        group_key,
        document_key,
        counter_document_key,
        reason_code,
        amount,
        currency_code,
        counter_currency_code,
        period,
        counter_period,
        confidence,
        evidence,
        discriminator
    from placed
    union all
    select
        unexplained.hop,
        unexplained.group_key,
        anchor.document_key,
        cast(null as {{ dbt.type_string() }}) as counter_document_key,
        'X' as reason_code,
        unexplained.amount,
        unexplained.currency_code,
        cast(null as {{ dbt.type_string() }}) as counter_currency_code,
        unexplained.period,
        cast(null as {{ dbt.type_string() }}) as counter_period,
        0 as confidence,
        'no evidence explains ' || cast(unexplained.amount as {{ dbt.type_string() }}) || ' of a gap of '
        || cast(unexplained.gap_amount as {{ dbt.type_string() }}) as evidence,
        unexplained.period || unexplained.currency_code as discriminator
    from unexplained
    inner join (
        select
            hop,
            group_key,
            coalesce(min(case when document_key = group_key then document_key end), min(document_key)) as document_key
        from {{ ref('int_rec_members') }}
        group by hop, group_key
    ) as anchor on unexplained.hop = anchor.hop and unexplained.group_key = anchor.group_key
),

entities as (
    select
        hop,
        group_key,
        min(business_unit) as business_unit,
        min(legal_entity_id) as legal_entity_id
    from cells
    group by hop, group_key
)

select
    {{ hash_key(['named.hop', 'named.group_key', 'named.document_key', 'named.reason_code', 'named.discriminator']) }}
        as break_key,
    named.hop,
    named.group_key,
    named.document_key,
    named.counter_document_key,
    named.reason_code,
    entities.business_unit,
    entities.legal_entity_id,
    named.currency_code,
    named.counter_currency_code,
    named.period,
    named.counter_period,
    named.amount,
    named.confidence,
    named.evidence
from named
inner join entities on named.hop = entities.hop and named.group_key = entities.group_key
