-- The proof, by hop and cell (business unit, entity, period, currency): what stood on each side, what became of it, and whether the reasons
-- add up to the gap. The population comes from the documents, the explanation from the effects: two ways to one number.
--
-- Sums of what came and went are added to the sums of the last good build, so the cost does not grow with history; the
-- gate sums all documents again.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='summary_key') }}

{% set cell = ['hop', 'business_unit', 'legal_entity_id', 'period', 'currency_code'] %}
{% set outcomes = [('matched', 'matched'), ('broken', 'broken'), ('scoped', 'scoped_out')] %}
{% set measures = [] %}
{% for side in ['left', 'right'] -%}
    {%- for word in ['', 'matched_', 'broken_', 'scoped_'] -%}
        {%- do measures.extend([word ~ side ~ '_count', word ~ side ~ '_amount']) -%}
    {%- endfor -%}
    {%- do measures.append('group_' ~ side ~ '_amount') -%}
{%- endfor %}

with documents as (
    select * from {{ ref_difference('rec_document') }} as document
),

counted as (
    select
        hop,
        business_unit,
        legal_entity_id,
        period,
        currency_code,
        {% for side in ['left', 'right'] %}
            sum(case when side = '{{ side }}' then weight else 0 end) as {{ side }}_count,
            sum(case when side = '{{ side }}' then weight * amount else 0 end) as {{ side }}_amount,
            {% for word, outcome in outcomes %}
                sum(case when side = '{{ side }}' and outcome = '{{ outcome }}' then weight else 0 end)
                    as {{ word }}_{{ side }}_count,
                sum(case when side = '{{ side }}' and outcome = '{{ outcome }}' then weight * amount else 0 end)
                    as {{ word }}_{{ side }}_amount,
            {% endfor %}
            sum(case when side = '{{ side }}' and outcome <> 'scoped_out' then weight * group_amount else 0 end)
                as group_{{ side }}_amount,
        {% endfor %}
        0 as explained_amount,
        0 as group_explained_amount
    from documents
    group by {{ cell | join(', ') }}
),

effects as (
    select
        hop,
        business_unit,
        legal_entity_id,
        period,
        currency_code,
        {% for measure in measures %}
            0 as {{ measure }},
        {% endfor %}
        sum(case when reason_code <> 'X' then weight * amount else 0 end) as explained_amount,
        sum(case when reason_code <> 'X' then weight * group_amount else 0 end) as group_explained_amount
    from {{ ref_difference('rec_break_effect') }} as effect
    group by {{ cell | join(', ') }}
),

parts as (
    {% for part in ['counted', 'effects'] %}
        select
            {{ (cell + measures) | join(', ') }},
            explained_amount,
            group_explained_amount
        from {{ part }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
    {% if is_partial() %}
        union all
        select
            {{ (cell + measures) | join(', ') }},
            explained_amount,
            group_gap_amount - group_unexplained_amount as group_explained_amount
        from {{ rows_before(this) }} as earlier
    {% endif %}
),

summed as (
    select
        hop,
        business_unit,
        legal_entity_id,
        period,
        currency_code,
        {% for measure in measures %}
            coalesce(sum({{ measure }}), 0) as {{ measure }},
        {% endfor %}
        coalesce(sum(explained_amount), 0) as explained_amount,
        coalesce(sum(group_explained_amount), 0) as group_explained_amount
    from parts
    group by {{ cell | join(', ') }}
),

-- A cell may have effects and no document: a cut-off lands in a period, a wrong code in a currency, of nothing else.
gaps as (
    select
        {{ hash_key(cell) }} as summary_key,
        summed.*,
        summed.left_amount
        - summed.scoped_left_amount
        - (summed.right_amount - summed.scoped_right_amount) as gap_amount,
        summed.left_amount
        - summed.scoped_left_amount
        - (summed.right_amount - summed.scoped_right_amount)
        - summed.explained_amount as unexplained_amount,
        summed.group_left_amount - summed.group_right_amount as group_gap_amount,
        summed.group_left_amount - summed.group_right_amount - summed.group_explained_amount as group_unexplained_amount
    from summed
    where
        summed.left_count + summed.right_count <> 0
        or summed.explained_amount <> 0
        or summed.group_explained_amount <> 0
)

{{ versioned('gaps') }}
