{# One row per golden customer. The anchor's words win; what it leaves open, the next record fills. #}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='customer_key', scope='all',
    full_refresh=false
) }}

with customers as (
    select * from {{ ref('int_customers__unioned') }}
),

records as (
    select
        crosswalk.customer_key,
        crosswalk.is_anchor,
        customers.*,
        row_number() over (
            partition by crosswalk.customer_key, crosswalk.role
            order by
                case when crosswalk.is_anchor then 0 else 1 end, customers.connection,
                length(customers.customer_id), customers.customer_id
        ) as choice
    from customers
    inner join {{ ref_current('int_customers__identified') }} as crosswalk
        on customers.connection = crosswalk.connection and customers.customer_id = crosswalk.customer_id
),

golden as (
    select
        customer_key,
        max(case when is_anchor then name end) as name,
        coalesce(max(case when is_anchor then legal_name end), max(case when is_anchor then name end)) as legal_name,
        coalesce(max(case when is_anchor then tax_id end), max(case when choice = 1 then tax_id end)) as tax_id,
        coalesce(max(case when is_anchor then domain end), max(case when choice = 1 then domain end)) as domain,
        coalesce(max(case when is_anchor then city end), max(case when choice = 1 then city end)) as city,
        coalesce(max(case when is_anchor then region end), max(case when choice = 1 then region end)) as region,
        coalesce(max(case when is_anchor then postal_code end), max(case when choice = 1 then postal_code end))
            as postal_code,
        coalesce(max(case when is_anchor then country_code end), max(case when choice = 1 then country_code end))
            as country_code,
        max(case when role = 'crm' and choice = 1 then connection end) as crm_connection,
        max(case when role = 'crm' and choice = 1 then customer_id end) as crm_customer_id,
        max(case when role = 'erp' and choice = 1 then connection end) as erp_connection,
        max(case when role = 'erp' and choice = 1 then customer_id end) as erp_customer_id,
        cast(count(*) as integer) as record_count,
        max(case when is_person then 1 else 0 end) = 1 as is_person,
        max(case when is_intercompany then 1 else 0 end) = 1 as is_intercompany,
        max(case when is_active then 1 else 0 end) = 1 as is_active
    from records
    group by customer_key
)

{{ versioned('golden') }}
