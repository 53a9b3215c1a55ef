{#
  from → to, as the connection's mapping says: `invert` and `divide_by` turn what is quoted the other way round. A CRM's
  rates come after a ledger's.
#}
with told as (
    {{ generic_rows('fx_rates', generic_columns('fx_rates')) }}
),

rates as (
    select
        connection,
        from_currency_code,
        to_currency_code,
        coalesce(rate_type, 'day') as rate_type,
        coalesce(quoted_as, 'to per from') as quoted_as,
        rate,
        coalesce(priority, case when {{ role_of('connection') }} = 'crm' then 2 else 1 end) as priority,
        rate_date
    from told
    where rate > 0
)

{{ select_contract('fx_rates', 'rates') }}
