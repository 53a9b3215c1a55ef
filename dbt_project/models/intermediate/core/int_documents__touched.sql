{#
  Documents that the marts look at again in this build: whose landed rows changed, whose customer found another
  identity, whose day's rate changed; and those of a day to come, which take the as-of date's rate. All documents in a
  complete build.
#}
with landed as (
    {% for system in var('systems') %}
        select
            connection,
            document_id
        from {{ ref('stg_' ~ system ~ '__documents_touched') }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

changed_customers as (
    select distinct
        connection,
        customer_id
    from {{ ref('int_customers__identified') }}
    where {{ changed_since_last_build() }}
),

changed_rates as (
    select distinct
        from_currency_code,
        rate_date
    from {{ ref('int_fx_rates__daily') }}
    where {{ changed_since_last_build() }}
),

of_customers as (
    select
        document.connection,
        document.document_id
    from changed_customers as customer
    inner join {{ ref('int_documents__unioned') }} as document
        on customer.connection = document.connection and customer.customer_id = document.customer_id
),

of_rates as (
    select
        document.connection,
        document.document_id
    from changed_rates as rate
    inner join {{ ref('int_documents__unioned') }} as document
        on rate.rate_date = document.document_date and rate.from_currency_code = document.currency_code
)

select
    connection,
    document_id
from landed
union
select
    connection,
    document_id
from of_customers
union
select
    connection,
    document_id
from of_rates
union
select
    connection,
    document_id
from {{ ref('int_documents__unioned') }}
where document_date > cast('{{ var("as_of_date") }}' as date)
