{#
  The crosswalk: every customer record of every system → its golden customer.

  Who is who was scored before this model is built (matching/identity); it left its clusters in int_customers__clustered.
  A record that landed since then is its own customer until the next build: its key is what matching would give it.
  Which record's words a golden customer takes is another question than who it is: the ERP's first, whatever its key.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='customer_record_key', scope='all',
    on_schema_change='append_new_columns', full_refresh=false,
    contract={'enforced': true}
) }}

with records as (
    select
        customers.connection,
        customers.customer_id,
        customers.role,
        coalesce(clusters.method, 'own') as method,
        coalesce(clusters.customer_key, {{ hash_key(["'customer'", 'customers.connection', 'customers.customer_id']) }})
            as customer_key
    from {{ ref('int_customers__unioned') }} as customers
    left join {{ source('identity', 'int_customers__clustered') }} as clusters
        on customers.connection = clusters.connection and customers.customer_id = clusters.customer_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_key
            order by case when role = 'erp' then 0 else 1 end, connection, length(customer_id), customer_id
        ) as position_in_group
    from records
),

identified as (
    select
        {{ hash_key(['connection', 'customer_id']) }} as customer_record_key,
        connection,
        customer_id,
        customer_key,
        case when position_in_group = 1 then 'own' else method end as method,
        role,
        position_in_group = 1 as is_anchor
    from ranked
)

{{ versioned('identified') }}
