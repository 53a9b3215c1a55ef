-- The documents of each match: the amount by which each counts in it, and what of it the other side answers.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='member_key', full_refresh=false,
    scope='document', scope_columns=['match_key'], scope_model='int_rec_groups__touched',
    on_schema_change='append_new_columns', contract={'enforced': true}
) }}
-- depends on: {{ ref('int_rec_groups__touched') }}

with members as (
    select
        *,
        {{ hash_key(['hop', 'group_key']) }} as match_key,
        sum(amount) over (
            partition by group_key, hop, side
            order by document_date, document_number, document_key, piece
            rows between unbounded preceding and current row
        ) as running_amount
    from {{ ref('int_rec_members') }}
),

counted as (
    select
        members.*,
        matches.applied_minor_units as most,
        {{ in_minor_units('members.running_amount', 'currency.minor_units') }} as until_here,
        {{ in_minor_units('members.running_amount - members.amount', 'currency.minor_units') }} as until_before,
        {{ in_minor_units(
            "case when members.side = 'left' then matches.left_amount else matches.right_amount end", 'currency.minor_units'
        ) }} as in_all
    from members
    inner join {{ ref_current('rec_match') }} as matches on members.match_key = matches.match_key
    left join {{ ref('dim_currency') }} as currency on members.currency_code = currency.currency_code
),

-- The smaller side is answered whole; the larger one up to as much, its earliest documents first.
matched as (
    select
        population_key as member_key,
        match_key,
        hop,
        side,
        document_key,
        piece as piece_key,
        amount,
        case
            when in_all = most then until_here - until_before
            when most > 0 then least(greatest(until_here, 0), most) - least(greatest(until_before, 0), most)
            when most < 0 then greatest(least(until_here, 0), most) - greatest(least(until_before, 0), most)
            else 0
        end as applied_minor_units,
        currency_code,
        group_amount
    from counted
)

{{ versioned('matched') }}
