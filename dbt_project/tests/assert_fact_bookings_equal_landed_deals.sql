-- Per connection and currency, what is booked is what was landed of won deals: no line lost, none doubled.
with landed as (
    select
        deal.connection,
        deal.currencyisocode as currency_code,
        sum(coalesce(lines.amount, deal.amount)) as amount
    from {{ ref('base_salesforce__opportunity') }} as deal
    left join (
        select
            connection,
            opportunityid,
            sum(totalprice) as amount
        from {{ ref('base_salesforce__opportunitylineitem') }}
        group by connection, opportunityid
    ) as lines
        on deal.connection = lines.connection and deal.record_key = lines.opportunityid
    where deal.iswon
    group by deal.connection, deal.currencyisocode
),

booked as (
    select
        connection,
        currency_code,
        sum(net_amount) as amount
    from {{ ref_current('fct_revenue') }} as revenue
    where event_type = 'booking' and source_system = 'salesforce'
    group by connection, currency_code
)

select
    coalesce(landed.connection, booked.connection) as connection,
    coalesce(landed.currency_code, booked.currency_code) as currency_code,
    landed.amount as landed_amount,
    booked.amount as booked_amount
from landed
full outer join booked on landed.connection = booked.connection and landed.currency_code = booked.currency_code
where landed.amount is distinct from booked.amount
