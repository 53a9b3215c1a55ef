{#
  Rates belong to the books that quote them: one row per quoting connection, pair of currencies and calendar day, for every
  pair that the facts need: from any currency that the connection quotes, to the functional currency of a legal entity or the
  group's. The latest quote on or before the day holds. A connection that does not quote a pair has no row for it, and a
  pair without any quote before a day has none: nothing is made up.

  Of one connection's quotes the direct one wins, then the inverse; books that quote both legs and not the pair have a cross
  through the group's currency. `fx_direction` says which.

  A posting takes the row of its own connection. Where its books do not quote the pair, it takes the row that is the choice of
  its business unit (`is_unit_choice`), else the group's (`is_group_choice`). A choice goes by route, an ERP's quote, its
  inverse, the CRM's, its inverse, a cross; then by the youngest quote, then by the connection's name. So no order of rows
  decides, and the group has one rate per pair and day, whoever asks: what is translated into the group's currency, and
  taken out of it between two entities, must be at one rate.

  A CRM keeps no books: its rates have rows only where they are a choice. Its deals are valued at the rates of the ERP that
  will post them.

  `connection` is '' for a cross of the group whose legs two connections quote.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='fx_rate_key', scope='all',
    on_schema_change='append_new_columns', full_refresh=false, pre_hook="{{ joined_by_hash() }}",
    contract={'enforced': true}
) }}

{% set last_day -%}cast('{{ var("as_of_date") }}' as date){%- endset -%}
-- A cross comes after every quote, whoever's.
{% set cross_preference = 1000 -%}

with quotes as (
    select * from {{ ref('int_fx_rates__unioned') }}
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
        connection,
        from_currency_code,
        to_currency_code,
        rate_date,
        rate,
        rate_type,
        priority * 2 as preference,
        priority <= 1 as is_of_books,
        'direct' as fx_direction
    from quotes
    where rate > 0 and from_currency_code <> to_currency_code and rate_date <= {{ last_day }}
    union all
    select
        connection,
        to_currency_code as from_currency_code,
        from_currency_code as to_currency_code,
        rate_date,
        1 / rate as rate,
        rate_type,
        priority * 2 + 1 as preference,
        priority <= 1 as is_of_books,
        'inverse' as fx_direction
    from quotes
    where rate > 0 and from_currency_code <> to_currency_code and rate_date <= {{ last_day }}
),

-- A pair into the group's currency or out of it may be the leg of a cross.
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
        connection,
        from_currency_code,
        to_currency_code,
        preference,
        is_of_books,
        rate_type,
        fx_direction,
        min(rate_date) as first_date
    from wanted
    group by connection, from_currency_code, to_currency_code, preference, is_of_books, rate_type, fx_direction
),

calendar as (
    select date_day
    from {{ ref('dim_date') }}
    where date_day <= {{ last_day }}
),

-- Quotes and days in one list, so that the last quote is carried forward without a join.
points as (
    select
        connection,
        from_currency_code,
        to_currency_code,
        preference,
        is_of_books,
        rate_type,
        fx_direction,
        rate_date as date_day,
        rate,
        rate_date
    from wanted
    union all
    select
        routes.connection,
        routes.from_currency_code,
        routes.to_currency_code,
        routes.preference,
        routes.is_of_books,
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
        connection,
        from_currency_code,
        to_currency_code,
        preference,
        is_of_books,
        rate_type,
        fx_direction,
        date_day,
        max(rate) as rate,
        max(rate_date) as rate_date
    from points
    group by connection, from_currency_code, to_currency_code, preference, is_of_books, rate_type, fx_direction, date_day
),

grid as (
    select
        *,
        count(rate) over (
            partition by connection, from_currency_code, to_currency_code, preference, rate_type
            order by date_day
        ) as quote_number
    from days
),

filled as (
    select
        connection,
        from_currency_code,
        to_currency_code,
        preference,
        is_of_books,
        rate_type,
        fx_direction,
        date_day,
        max(rate) over (
            partition by connection, from_currency_code, to_currency_code, preference, rate_type, quote_number
        ) as rate,
        max(rate_date) over (
            partition by connection, from_currency_code, to_currency_code, preference, rate_type, quote_number
        ) as quoted_date
    from grid
),

ordered as (
    select
        *,
        row_number() over (
            partition by connection, from_currency_code, to_currency_code, date_day
            order by preference asc, quoted_date desc, rate_type asc
        ) as place
    from filled
),

quoted as (
    select
        connection,
        {{ connection_unit('connection') }} as business_unit,
        from_currency_code,
        to_currency_code,
        preference,
        is_of_books,
        rate_type,
        fx_direction,
        date_day,
        rate,
        quoted_date,
        row_number() over (
            partition by from_currency_code, to_currency_code, date_day
            order by preference asc, quoted_date desc, connection asc
        ) as group_place
    from ordered
    where place = 1
),

-- Two legs through the group's currency: both of one connection's books, or both the group's choice.
first_legs as (
    select * from quoted
    where to_currency_code = {{ group_currency() }}
),

second_legs as (
    select * from quoted
    where from_currency_code = {{ group_currency() }} and to_currency_code in (select currency_code from targets)
),

legs as (
    select
        first_leg.connection,
        first_leg.business_unit,
        first_leg.from_currency_code,
        second_leg.to_currency_code,
        first_leg.is_of_books,
        first_leg.rate_type,
        first_leg.date_day,
        first_leg.rate * second_leg.rate as rate,
        case when first_leg.quoted_date < second_leg.quoted_date then first_leg.quoted_date else second_leg.quoted_date end
            as quoted_date,
        0 as is_of_group
    from first_legs as first_leg
    inner join second_legs as second_leg
        on first_leg.date_day = second_leg.date_day and first_leg.connection = second_leg.connection
    left join (select distinct connection, from_currency_code, to_currency_code from routes) as known
        on
            first_leg.connection = known.connection
            and first_leg.from_currency_code = known.from_currency_code
            and second_leg.to_currency_code = known.to_currency_code
    where
        first_leg.is_of_books
        and second_leg.is_of_books
        and first_leg.from_currency_code <> second_leg.to_currency_code
        and known.connection is null
    union all
    select
        case when first_leg.connection = second_leg.connection then first_leg.connection else '' end as connection,
        case when first_leg.connection = second_leg.connection then first_leg.business_unit else '' end as business_unit,
        first_leg.from_currency_code,
        second_leg.to_currency_code,
        first_leg.connection = second_leg.connection and first_leg.is_of_books and second_leg.is_of_books as is_of_books,
        first_leg.rate_type,
        first_leg.date_day,
        first_leg.rate * second_leg.rate as rate,
        case when first_leg.quoted_date < second_leg.quoted_date then first_leg.quoted_date else second_leg.quoted_date end
            as quoted_date,
        1 as is_of_group
    from first_legs as first_leg
    inner join second_legs as second_leg on first_leg.date_day = second_leg.date_day
    left join (select distinct from_currency_code, to_currency_code from routes) as known
        on
            first_leg.from_currency_code = known.from_currency_code
            and second_leg.to_currency_code = known.to_currency_code
    where
        first_leg.group_place = 1
        and second_leg.group_place = 1
        and first_leg.from_currency_code <> second_leg.to_currency_code
        and known.from_currency_code is null
),

-- Where both are the same connection's, it is one row.
crossed as (
    select
        connection,
        business_unit,
        from_currency_code,
        to_currency_code,
        is_of_books,
        rate_type,
        date_day,
        rate,
        quoted_date,
        max(is_of_group) as is_of_group
    from legs
    group by
        connection, business_unit, from_currency_code, to_currency_code, is_of_books, rate_type, date_day, rate, quoted_date
),

told as (
    select
        connection,
        business_unit,
        from_currency_code,
        to_currency_code,
        preference,
        is_of_books,
        rate_type,
        fx_direction,
        date_day,
        rate,
        quoted_date,
        group_place = 1 as is_group_choice
    from quoted
    where to_currency_code in (select currency_code from targets)
    union all
    select
        connection,
        business_unit,
        from_currency_code,
        to_currency_code,
        {{ cross_preference }} as preference,
        is_of_books,
        rate_type,
        'cross' as fx_direction,
        date_day,
        rate,
        quoted_date,
        is_of_group = 1 as is_group_choice
    from crossed
),

chosen as (
    select
        *,
        connection <> ''
        and row_number() over (
            partition by business_unit, from_currency_code, to_currency_code, date_day
            order by case when connection = '' then 1 else 0 end, preference, quoted_date desc, connection
        ) = 1 as is_unit_choice
    from told
),

daily as (
    select
        {{ hash_key(['connection', 'from_currency_code', 'to_currency_code', 'date_day']) }} as fx_rate_key,
        connection,
        business_unit,
        from_currency_code,
        to_currency_code,
        rate_type,
        fx_direction,
        cast(rate as numeric(28, 12)) as fx_rate,
        is_unit_choice,
        is_group_choice,
        date_day as rate_date,
        quoted_date
    from chosen
    where is_of_books or is_unit_choice or is_group_choice
)

{{ versioned('daily') }}
