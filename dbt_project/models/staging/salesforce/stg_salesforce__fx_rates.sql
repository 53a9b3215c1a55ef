{#
  Rates are units of a currency per 1 of the corporate currency: from = corporate, to = the currency. Dated rates hold
  from StartDate; where the organisation has none, the current rate counts for all days.
#}
with corporate as (
    select
        connection,
        isocode as currency_code
    from {{ ref('base_salesforce__currencytype') }}
    where iscorporate
),

dated as (
    select
        rate.connection,
        corporate.currency_code as from_currency_code,
        rate.isocode as to_currency_code,
        'dated' as rate_type,
        'per corporate' as quoted_as,
        rate.conversionrate as rate,
        2 as priority,
        rate.startdate as rate_date
    from {{ ref('base_salesforce__datedconversionrate') }} as rate
    inner join corporate on rate.connection = corporate.connection
),

static as (
    select
        rate.connection,
        corporate.currency_code as from_currency_code,
        rate.isocode as to_currency_code,
        'static' as rate_type,
        'per corporate' as quoted_as,
        rate.conversionrate as rate,
        3 as priority,
        cast('2015-01-01' as date) as rate_date
    from {{ ref('base_salesforce__currencytype') }} as rate
    inner join corporate on rate.connection = corporate.connection
    left join (select distinct connection from dated) as has_dated on rate.connection = has_dated.connection
    where has_dated.connection is null
),

rates as (
    select * from dated
    where from_currency_code <> to_currency_code
    union all
    select * from static
    where from_currency_code <> to_currency_code
)

{{ select_contract('fx_rates', 'rates') }}
