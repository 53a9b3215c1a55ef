{#
  Fiscal periods: months. Closed and locked as the ledgers say (a period that two ledgers keep is closed when both
  closed it); months that no ledger keeps come from the calendar, open.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='period', scope='all',
    full_refresh=false
) }}

with told as (
    {{ union_contract('fiscal_periods') }}
),

months as (
    select
        period,
        min(date_day) as start_date,
        max(date_day) as end_date,
        min(year_number) as year_number,
        min(month_number) as month_number
    from {{ ref('dim_date') }}
    where year_number between 2020 and extract(year from cast('{{ var("as_of_date") }}' as date)) + 2
    group by period
),

ledgers as (
    select
        period,
        min(name) as name,
        min(start_date) as start_date,
        max(end_date) as end_date,
        min(case when is_closed then 1 else 0 end) = 1 as is_closed,
        min(case when is_ar_locked then 1 else 0 end) = 1 as is_ar_locked
    from told
    group by period
),

shifted as (
    select
        *,
        year_number * 12 + month_number - 1
        - ({{ var('company').group.fiscal_year_start_month }} - 1) as month_index
    from months
),

periods as (
    select
        shifted.period,
        coalesce(ledgers.name, shifted.period) as name,
        case when ledgers.period is null then 'calendar' else 'ledger' end as period_source,
        -- a fiscal year is named by the calendar year in which it ends
        cast(
            floor(shifted.month_index / 12.0)
            + {% if var('company').group.fiscal_year_start_month | int > 1 %}1{% else %}0{% endif %} as integer
        ) as fiscal_year,
        cast(floor((shifted.month_index - 12 * floor(shifted.month_index / 12.0)) / 3) + 1 as integer)
            as fiscal_quarter,
        cast(shifted.month_index - 12 * floor(shifted.month_index / 12.0) + 1 as integer) as fiscal_month,
        coalesce(ledgers.is_closed, false) as is_closed,
        coalesce(ledgers.is_ar_locked, false) as is_ar_locked,
        coalesce(ledgers.start_date, shifted.start_date) as start_date,
        coalesce(ledgers.end_date, shifted.end_date) as end_date
    from shifted
    left join ledgers on shifted.period = ledgers.period
)

{{ versioned('periods') }}
