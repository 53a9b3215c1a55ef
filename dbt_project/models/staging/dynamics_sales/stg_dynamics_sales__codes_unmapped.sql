{# Codes that Dataverse sent and that no seed maps. A company's own status reasons are none: the state behind them counts. #}
{{ codes_unmapped([
    {
        'name': 'deal state', 'model': 'base_dynamics_sales__opportunity',
        'value': "'opportunity/' || cast(sent.state_code as " ~ dbt.type_string() ~ ")",
        'map': 'map_dynamics_sales_state', 'code': 'state_code'
    },
    {
        'name': 'order state', 'model': 'base_dynamics_sales__salesorder',
        'value': "'salesorder/' || cast(sent.state_code as " ~ dbt.type_string() ~ ")",
        'map': 'map_dynamics_sales_state', 'code': 'state_code'
    },
    {
        'name': 'currency', 'model': 'stg_dynamics_sales__documents', 'value': 'sent.currency_code',
        'map': 'iso_currencies', 'code': 'currency_code'
    }
]) }}
