select
    cast(currency_code as text) as currency_code,
    cast(currency_name as text) as currency_name,
    cast(minor_units as integer) as minor_units
from {{ ref('iso_currencies') }}
