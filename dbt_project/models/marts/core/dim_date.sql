with days as (
    {{ days_between("'2015-01-01'", "'2035-12-31'") }}
)

select
    date_day,
    {{ period_of('date_day') }} as period,
    cast(extract(year from date_day) as integer) as year_number,
    cast(extract(quarter from date_day) as integer) as quarter_number,
    cast(extract(month from date_day) as integer) as month_number,
    cast(extract(day from date_day) as integer) as day_of_month,
    date_day = {{ last_day_of_month('date_day') }} as is_month_end
from days
