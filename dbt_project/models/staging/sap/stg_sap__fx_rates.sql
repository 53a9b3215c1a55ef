{#
  Rates of type M. A quotation below zero is indirect: units of the source for one of the target. Factors say for how many
  units a rate is: 0.95 for 100 yen is 0.0095.
#}
with rates as (
    select
        connection,
        source_currency as from_currency_code,
        target_currency as to_currency_code,
        'day' as rate_type,
        case when quoted_rate < 0 then 'indirect' else 'direct' end as quoted_as,
        case when quoted_rate < 0 then cast(1 as numeric) / abs(quoted_rate) else quoted_rate end
        * (target_units / source_units) as rate,
        1 as priority,
        valid_from as rate_date
    from {{ ref('base_sap__exchangerate') }}
    where rate_type = 'M' and quoted_rate <> 0
)

{{ select_contract('fx_rates', 'rates') }}
