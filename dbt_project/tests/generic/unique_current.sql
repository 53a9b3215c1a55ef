{# A versioned model has one current version per key. #}
{% test unique_current(model, column_name) %}
select {{ column_name }}, count(*) as version_count
from {{ model }}
where superseded_run = {{ open_run() }}
group by {{ column_name }}
having count(*) > 1
{% endtest %}
