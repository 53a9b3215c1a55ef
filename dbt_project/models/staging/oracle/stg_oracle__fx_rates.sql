{#
  currencyRates, or DailyRate of extracts: one FromCurrency is ConversionRate of ToCurrency. Which type is whose day's rate
  is the company's choice.
#}
with rates as (
    select
        connection,
        fromcurrency as from_currency_code,
        tocurrency as to_currency_code,
        'day' as rate_type,
        'to per from' as quoted_as,
        conversionrate as rate,
        1 as priority,
        conversiondate as rate_date
    from {{ ref('base_oracle__currencyrates') }}
    union all
    select
        connection,
        dailyratefromcurrency,
        dailyratetocurrency,
        'day',
        'to per from',
        dailyrateconversionrate,
        1,
        dailyrateconversiondate
    from {{ ref('base_oracle__dailyrate') }}
)

{{ select_contract('fx_rates', 'rates') }}
