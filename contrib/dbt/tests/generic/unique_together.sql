{# No two rows have the same values in these columns; null equals null. #}
{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}, count(*) as rows_alike
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
