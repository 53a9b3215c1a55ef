-- The documents of each match, with the amount by which each counts in it.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='member_key', full_refresh=false,
    scope='document', scope_columns=['match_key'], scope_model='int_rec_groups__touched'
) }}
-- depends on: {{ ref('int_rec_groups__touched') }}

with members as (
    select
        population_key as member_key,
        {{ hash_key(['hop', 'group_key']) }} as match_key,
        hop,
        side,
        document_key,
        piece as piece_key,
        amount,
        currency_code,
        group_amount
    from {{ ref('int_rec_members') }}
),

matched as (
    select members.*
    from members
    inner join {{ ref_current('rec_match') }} as matches on members.match_key = matches.match_key
)

{{ versioned('matched') }}
