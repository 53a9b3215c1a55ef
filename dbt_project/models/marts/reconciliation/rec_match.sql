-- A match: the documents of both sides of a hop that belong together, whether their amounts agree or not.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='match_key', full_refresh=false,
    scope='document', scope_columns=['match_key'], scope_model='int_rec_groups__touched',
    on_schema_change='append_new_columns', contract={'enforced': true},
    lookups=['customer_key, left_amount where match_pass = 7']
) }}
-- depends on: {{ ref('int_rec_groups__touched') }}

with members as (
    select * from {{ ref('int_rec_members') }}
),

groups as (
    select
        hop,
        group_key,
        max(match_pass) as linked_pass,
        max(has_rival) as has_rival,
        min(currency_code) = max(currency_code) as is_one_currency,
        min(legal_entity_id) as legal_entity_id,
        max(case when document_key = group_key then customer_key end) as anchor_customer_key,
        min(customer_key) as customer_key,
        coalesce(min(case when side = 'left' and document_key = group_key then currency_code end), min(currency_code))
            as currency_code,
        coalesce(min(case when side = 'left' then period end), min(period)) as period,
        cast(sum(case when side = 'left' then 1 else 0 end) as integer) as left_count,
        cast(sum(case when side = 'right' then 1 else 0 end) as integer) as right_count,
        sum(case when side = 'left' then amount else 0 end) as left_amount,
        sum(case when side = 'right' then amount else 0 end) as right_amount,
        sum(case when side = 'left' then group_amount else 0 end) as group_left_amount,
        sum(case when side = 'right' then group_amount else 0 end) as group_right_amount
    from members
    group by group_key, hop
    having sum(case when side = 'left' then 1 else 0 end) > 0 and sum(case when side = 'right' then 1 else 0 end) > 0
),

-- More than one document on a side is a sum by key, however the documents were found.
passed as (
    select
        groups.*,
        case when left_count > 1 or right_count > 1 then 5 else coalesce(linked_pass, 2) end as match_pass,
        {{ in_minor_units('left_amount', 'currency.minor_units') }} as left_minor_units,
        {{ in_minor_units('right_amount', 'currency.minor_units') }} as right_minor_units
    from groups
    left join {{ ref('dim_currency') }} as currency on groups.currency_code = currency.currency_code
),

matches as (
    select
        {{ hash_key(['passed.hop', 'passed.group_key']) }} as match_key,
        passed.hop,
        passed.match_pass,
        passes.pass_name,
        'confirmed' as status,
        found_by.confidence,
        found_by.confidence - case when passed.has_rival = 1 then found_by.rival_confidence else 0 end as margin,
        passed.legal_entity_id,
        coalesce(passed.anchor_customer_key, passed.customer_key) as customer_key,
        passed.currency_code,
        passed.period,
        passed.left_count,
        passed.right_count,
        passed.left_amount,
        passed.right_amount,
        passed.left_amount - passed.right_amount as difference_amount,
        -- Both sides say as much as this. Of two currencies, or of a charge and a credit, they say nothing in common.
        case
            when not passed.is_one_currency then 0
            when passed.left_minor_units > 0 and passed.right_minor_units > 0
                then least(passed.left_minor_units, passed.right_minor_units)
            when passed.left_minor_units < 0 and passed.right_minor_units < 0
                then greatest(passed.left_minor_units, passed.right_minor_units)
            else 0
        end as applied_minor_units,
        passed.group_left_amount,
        passed.group_right_amount
    from passed
    inner join {{ ref('rec_match_passes') }} as passes on passed.match_pass = passes.match_pass
    inner join {{ ref('rec_match_passes') }} as found_by on coalesce(passed.linked_pass, 2) = found_by.match_pass
)

{{ versioned('matches') }}
