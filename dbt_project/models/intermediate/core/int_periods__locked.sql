{#
  When receivables of a period were locked, by ledger: the ledger's own word where it has the time, else the calendar of closing
  that tieout.yml declares (`close_days`). A period that was opened again has none.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='period_lock_key', scope='all',
    on_schema_change='append_new_columns', full_refresh=false,
    contract={'enforced': true}
) }}

with told as (
    {{ union_contract('fiscal_periods') }}
),

-- A month is locked at the end of the day that comes so many days after its last one, in the connection's zone.
declared as (
    {{ declared_locks() }}
),

locks as (
    select
        connection,
        period,
        locked_at
    from told
    where locked_at is not null
    union all
    select
        declared.connection,
        declared.period,
        declared.locked_at
    from declared
    left join (select distinct connection from told where locked_at is not null) as speaking
        on declared.connection = speaking.connection
    where speaking.connection is null
),

locked as (
    select
        {{ hash_key(['connection', 'period']) }} as period_lock_key,
        connection,
        period,
        max(locked_at) as locked_at
    from locks
    group by connection, period
)

{{ versioned('locked') }}
