-- The proof, by hop and cell (entity, period, currency): what stood on each side, what became of it, and whether the reasons
-- add up to the gap. The population comes from the documents, the explanation from the effects: two ways to one number.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='summary_key') }}

with documents as (
    select * from {{ ref_current('rec_document') }}
),

counted as (
    select
        hop,
        legal_entity_id,
        period,
        currency_code,
    {% for side in ['left', 'right'] %}
        cast(sum(case when side = '{{ side }}' then 1 else 0 end) as bigint) as {{ side }}_count,
        sum(case when side = '{{ side }}' then amount else 0 end) as {{ side }}_amount,
        {% for outcome, word in [('matched', 'matched'), ('broken', 'broken'), ('scoped_out', 'scoped')] %}
            cast(sum(case when side = '{{ side }}' and outcome = '{{ outcome }}' then 1 else 0 end) as bigint)
                as {{ word }}_{{ side }}_count,
            sum(case when side = '{{ side }}' and outcome = '{{ outcome }}' then amount else 0 end)
                as {{ word }}_{{ side }}_amount,
        {% endfor %}
        sum(case when side = '{{ side }}' and outcome <> 'scoped_out' then group_amount else 0 end)
            as group_{{ side }}_amount{{ ',' if not loop.last }}
        {% endfor %}
    from documents
    group by hop, legal_entity_id, period, currency_code
),

effects as (
    select
        hop,
        legal_entity_id,
        period,
        currency_code,
        sum(case when reason_code <> 'X' then amount else 0 end) as explained_amount,
        sum(case when reason_code <> 'X' then group_amount else 0 end) as group_explained_amount
    from {{ ref_current('rec_break_effect') }} as effect
    group by hop, legal_entity_id, period, currency_code
),

-- A cell may have effects and no document: a cut-off lands in a period, a wrong code in a currency, of nothing else.
cells as (
    select
        hop,
        legal_entity_id,
        period,
        currency_code
    from counted
    union
    select
        hop,
        legal_entity_id,
        period,
        currency_code
    from effects
),

summed as (
    select
        cells.hop,
        cells.legal_entity_id,
        cells.period,
        cells.currency_code,
        {% for side in ['left', 'right'] %}
            coalesce(counted.{{ side }}_count, 0) as {{ side }}_count,
            coalesce(counted.{{ side }}_amount, 0) as {{ side }}_amount,
            {% for word in ['matched', 'broken', 'scoped'] %}
                coalesce(counted.{{ word }}_{{ side }}_count, 0) as {{ word }}_{{ side }}_count,
                coalesce(counted.{{ word }}_{{ side }}_amount, 0) as {{ word }}_{{ side }}_amount,
            {% endfor %}
            coalesce(counted.group_{{ side }}_amount, 0) as group_{{ side }}_amount,
        {% endfor %}
        coalesce(effects.explained_amount, 0) as explained_amount,
        coalesce(effects.group_explained_amount, 0) as group_explained_amount
    from cells
    left join counted
        on
            cells.hop = counted.hop
            and cells.legal_entity_id = counted.legal_entity_id
            and cells.period = counted.period
            and cells.currency_code = counted.currency_code
    left join effects
        on
            cells.hop = effects.hop
            and cells.legal_entity_id = effects.legal_entity_id
            and cells.period = effects.period
            and cells.currency_code = effects.currency_code
),

gaps as (
    select
        {{ hash_key(['hop', 'legal_entity_id', 'period', 'currency_code']) }} as summary_key,
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
)

{{ versioned('gaps') }}
