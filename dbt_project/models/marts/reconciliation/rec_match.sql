-- A match: the documents of both sides of a hop that belong together, whether their amounts agree or not.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='match_key', full_refresh=false,
    scope='document', scope_columns=['match_key'], scope_model='int_rec_groups__touched',
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
    group by hop, group_key
    having sum(case when side = 'left' then 1 else 0 end) > 0 and sum(case when side = 'right' then 1 else 0 end) > 0
),

-- More than one document on a side is a sum by key, however the documents were found.
passed as (
    select
        *,
        case when left_count > 1 or right_count > 1 then 5 else coalesce(linked_pass, 2) end as match_pass
    from groups
),

matches as (
    select
        {{ hash_key(['hop', 'group_key']) }} as match_key,
        hop,
        match_pass,
        case match_pass
            when 1 then 'decided by a person'
            when 2 then 'explicit link'
            when 3 then 'cross-reference table'
            when 4 then 'customer, reference and currency'
            when 7 then 'customer, amount and date'
            else 'sum by key'
        end as pass_name,
        'confirmed' as status,
        case linked_pass when 4 then 0.98 when 7 then 0.95 else 1 end as confidence,
        legal_entity_id,
        coalesce(anchor_customer_key, customer_key) as customer_key,
        currency_code,
        period,
        left_count,
        right_count,
        left_amount,
        right_amount,
        left_amount - right_amount as difference_amount,
        group_left_amount,
        group_right_amount
    from passed
)

{{ versioned('matches') }}
