{#
  One rate per pair of currencies and calendar day, for every pair that the facts need: from any currency that
  somebody quotes, to the functional currency of a legal entity or the group's. The latest quote on or before the day
  holds. Per day the best route wins: the ERP's own quote, its inverse, the CRM's, its inverse; then a cross through
  the group's currency. `fx_direction` says which. A pair without any quote before a day has no row: nothing is made
  up.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='fx_rate_key', scope='all',
    on_schema_change='append_new_columns', full_refresh=false,
    contract={'enforced': true}
) }}

with quotes as (
    {{ union_contract('fx_rates') }}
),

targets as (
    select functional_currency_code as currency_code
    from {{ ref_current('dim_legal_entity') }}
    where functional_currency_code is not null
    union
    select cast({{ group_currency() }} as {{ dbt.type_string() }}) as currency_code
),

directed as (
    select
        from_currency_code,
        to_currency_code,
        rate_date,
        rate,
        rate_type,
        priority * 2 as preference,
        'direct' as fx_direction
    from quotes
    where rate > 0 and from_currency_code <> to_currency_code
    union all
    select
        to_currency_code as from_currency_code,
        from_currency_code as to_currency_code,
        rate_date,
        1 / rate as rate,
        rate_type,
        priority * 2 + 1 as preference,
        'inverse' as fx_direction
    from quotes
    where rate > 0 and from_currency_code <> to_currency_code
),

wanted as (
    select *
    from directed
    where
        to_currency_code in (select currency_code from targets)
        or to_currency_code = {{ group_currency() }}
        or from_currency_code = {{ group_currency() }}
),

routes as (
    select
        from_currency_code,
        to_currency_code,
        preference,
        rate_type,
        fx_direction,
        min(rate_date) as first_date
    from wanted
    group by from_currency_code, to_currency_code, preference, rate_type, fx_direction
),

calendar as (
    select date_day
    from {{ ref('dim_date') }}
    where date_day <= cast('{{ var("as_of_date") }}' as date)
),

-- Quotes and days in one list, so that the last quote is carried forward without a join.
points as (
    select
        from_currency_code,
        to_currency_code,
        preference,
        rate_type,
        fx_direction,
        rate_date as date_day,
        rate,
        rate_date
    from wanted
    union all
    select
        routes.from_currency_code,
        routes.to_currency_code,
        routes.preference,
        routes.rate_type,
        routes.fx_direction,
        calendar.date_day,
        cast(null as numeric) as rate,
        cast(null as date) as rate_date
    from routes
    inner join calendar on routes.first_date <= calendar.date_day
),

days as (
    select
        from_currency_code,
        to_currency_code,
        preference,
        rate_type,
        fx_direction,
        date_day,
        max(rate) as rate,
        max(rate_date) as rate_date
    from points
    group by from_currency_code, to_currency_code, preference, rate_type, fx_direction, date_day
),

grid as (
    select
        *,
        count(rate) over (
            partition by from_currency_code, to_currency_code, preference, rate_type
            order by date_day
        ) as quote_number
    from days
),

filled as (
    select
        from_currency_code,
        to_currency_code,
        preference,
        rate_type,
        fx_direction,
        date_day,
        max(rate) over (
            partition by from_currency_code, to_currency_code, preference, rate_type, quote_number
        ) as rate,
        max(rate_date) over (
            partition by from_currency_code, to_currency_code, preference, rate_type, quote_number
        ) as quoted_date
    from grid
),

quoted as (
    select
        *,
        row_number() over (
            partition by from_currency_code, to_currency_code, date_day
            order by preference asc, quoted_date desc, rate_type asc
        ) as choice
    from filled
),

best as (
    select *
    from quoted
    where choice = 1 and date_day <= cast('{{ var("as_of_date") }}' as date)
),

-- Pairs that nobody quotes, in either direction: they go through the group's currency.
unquoted_pairs as (
    select
        sources.from_currency_code,
        targets.currency_code as to_currency_code
    from (select distinct from_currency_code from routes) as sources
    cross join targets
    left join (select distinct
        from_currency_code,
        to_currency_code
    from routes) as quoted_pair
        on
            sources.from_currency_code = quoted_pair.from_currency_code
            and targets.currency_code = quoted_pair.to_currency_code
    where quoted_pair.from_currency_code is null and sources.from_currency_code <> targets.currency_code
),

crossed as (
    select
        unquoted_pairs.from_currency_code,
        unquoted_pairs.to_currency_code,
        first_leg.rate_type,
        'cross' as fx_direction,
        first_leg.date_day,
        first_leg.rate * second_leg.rate as rate,
        case
            when first_leg.quoted_date < second_leg.quoted_date then first_leg.quoted_date else second_leg.quoted_date
        end
            as quoted_date
    from unquoted_pairs
    inner join best as first_leg
        on
            unquoted_pairs.from_currency_code = first_leg.from_currency_code
            and first_leg.to_currency_code = {{ group_currency() }}
    inner join best as second_leg
        on
            unquoted_pairs.to_currency_code = second_leg.to_currency_code
            and second_leg.from_currency_code = {{ group_currency() }}
            and first_leg.date_day = second_leg.date_day
),

routed as (
    select
        from_currency_code,
        to_currency_code,
        rate_type,
        fx_direction,
        date_day,
        rate,
        quoted_date
    from best
    union all
    select
        from_currency_code,
        to_currency_code,
        rate_type,
        fx_direction,
        date_day,
        rate,
        quoted_date
    from crossed
),

daily as (
    select
        {{ hash_key(['from_currency_code', 'to_currency_code', 'date_day']) }} as fx_rate_key,
        from_currency_code,
        to_currency_code,
        rate_type,
        fx_direction,
        cast(rate as numeric(28, 12)) as fx_rate,
        date_day as rate_date,
        quoted_date
    from routed
    where to_currency_code in (select currency_code from targets)
)

{{ versioned('daily') }}
