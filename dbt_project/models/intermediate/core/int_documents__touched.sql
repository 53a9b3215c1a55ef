{#
  Documents that the marts look at again in this build: whose landed rows changed, whose customer found another
  identity, for whose day the rate that they take changed, or the group's; of whose reference the cross-reference table says
  something else; and those of a day to come, which take the as-of date's rate. All documents in a complete build.
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
        connection,
        business_unit,
        from_currency_code,
        to_currency_code,
        is_unit_choice,
        is_group_choice,
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

{% if is_partial_build() -%}
-- Which rates a document asks for is said by the fact as the build before left it: whatever changed about the document itself
-- has landed, and is looked at for that.
of_changed_days as (
    select distinct
        document.connection,
        document.document_id
    from {{ ref('int_documents__unioned') }} as document
    inner join (select distinct rate_date from changed_rates) as changed on document.document_date = changed.rate_date
),

asked as (
    select distinct
        sold.connection,
        sold.document_id,
        {{ connection_unit('sold.connection') }} as business_unit,
        sold.currency_code,
        sold.functional_currency_code,
        sold.document_date
    from of_changed_days as document
    inner join {{ left_behind('fct_revenue') }} as sold
        on document.connection = sold.connection and document.document_id = sold.document_id
    where sold.superseded_run = {{ open_run() }}
),

-- A rate that stands nearer, and did not change, keeps all others away.
nearer as (
    select
        asked.*,
        max(case when rate.connection = asked.connection then 1 else 0 end) as has_own,
        max(case when rate.is_unit_choice and rate.business_unit = asked.business_unit then 1 else 0 end) as has_of_unit
    from asked
    left join {{ ref_current('int_fx_rates__daily') }} as rate
        on
            asked.currency_code = rate.from_currency_code
            and asked.functional_currency_code = rate.to_currency_code
            and asked.document_date = rate.rate_date
    group by
        asked.connection,
        asked.document_id,
        asked.business_unit,
        asked.currency_code,
        asked.functional_currency_code,
        asked.document_date
),

of_rates as (
    select
        document.connection,
        document.document_id
    from nearer as document
    inner join changed_rates as rate
        on
            document.document_date = rate.rate_date
            and document.currency_code = rate.from_currency_code
            and document.functional_currency_code = rate.to_currency_code
    where
        rate.connection = document.connection
        or (document.has_own = 0 and rate.is_unit_choice and rate.business_unit = document.business_unit)
        or (document.has_own = 0 and document.has_of_unit = 0 and rate.is_group_choice)
    union all
    select
        document.connection,
        document.document_id
    from asked as document
    inner join changed_rates as rate
        on document.document_date = rate.rate_date and document.functional_currency_code = rate.from_currency_code
    where rate.is_group_choice and rate.to_currency_code = {{ group_currency() }}
),

-- By the references that the build before left: one that changed itself has landed.
of_crossrefs as (
    select
        document.connection,
        document.document_id
    from {{ ref_changed('int_rec_crossrefs') }} as crossref
    {{ look_up(left_current('int_rec_documents'), 'document', speaks_of('crossref', 'document')) }}
)
{%- else -%}
of_rates as (
    select
        cast(null as {{ dbt.type_string() }}) as connection,
        cast(null as {{ dbt.type_string() }}) as document_id
    from changed_rates
    where 1 = 0
),

of_crossrefs as (
    select
        connection,
        document_id
    from of_rates
    -- depends on {{ ref('int_rec_crossrefs') }}: both kinds of build have the same graph
    where 1 = 0
)
{%- endif %}

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
from of_crossrefs
union
select
    connection,
    document_id
from {{ ref('int_documents__unioned') }}
where document_date > cast('{{ var("as_of_date") }}' as date)
