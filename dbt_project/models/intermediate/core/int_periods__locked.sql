{#
  When receivables of a period were locked, by ledger: whoever has the time. A period that was opened again has none.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='period_lock_key', scope='all',
    on_schema_change='append_new_columns', full_refresh=false,
    contract={'enforced': true}
) }}

with told as (
    {{ union_contract('fiscal_periods') }}
),

locked as (
    select
        {{ hash_key(['connection', 'period']) }} as period_lock_key,
        connection,
        period,
        max(locked_at) as locked_at
    from told
    where locked_at is not null
    group by connection, period
)

{{ versioned('locked') }}
