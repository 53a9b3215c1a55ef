-- The population: every document of every hop, on its side, and what became of it.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='document_hop_key', full_refresh=false,
    scope='document', scope_columns=['group_key', 'hop'], scope_model='int_rec_groups__touched',
    lookups=['document_key', 'piece_key', 'customer_key, amount where match_key is null']
) }}
-- depends on: {{ ref('int_rec_groups__touched') }}

with broken_groups as (
    select
        hop,
        group_key,
        reason_code,
        row_number() over (
            partition by group_key, hop
            order by case when reason_code = 'X' then 0 else 1 end, abs(amount) desc, reason_code, break_key asc
        ) as place
    from {{ ref('int_rec_breaks') }}
),

broken_documents as (
    select
        hop,
        group_key,
        document_key,
        reason_code,
        row_number() over (
            partition by group_key, hop, document_key
            order by abs(amount) desc, reason_code, break_key asc
        ) as place
    from {{ ref('int_rec_breaks') }}
),

in_scope as (
    select
        members.population_key as document_hop_key,
        members.hop,
        members.side,
        members.document_key,
        members.piece as piece_key,
        members.group_key,
        members.business_unit,
        members.legal_entity_id,
        members.customer_key,
        members.currency_code,
        members.period,
        members.amount,
        members.functional_currency_code,
        members.functional_amount,
        members.group_amount,
        case when broken_groups.group_key is null then 'matched' else 'broken' end as outcome,
        case
            when
                broken_groups.group_key is not null
                then coalesce(broken_documents.reason_code, broken_groups.reason_code)
        end as reason_code,
        matches.match_key
    from {{ ref('int_rec_members') }} as members
    left join broken_groups
        on members.hop = broken_groups.hop and members.group_key = broken_groups.group_key and broken_groups.place = 1
    left join broken_documents
        on
            members.hop = broken_documents.hop
            and members.group_key = broken_documents.group_key
            and members.document_key = broken_documents.document_key
            and broken_documents.place = 1
    left join {{ ref_current('rec_match') }} as matches
        on {{ hash_key(['members.hop', 'members.group_key']) }} = matches.match_key
),

-- Out of scope: kept, counted, and compared with nothing.
out_of_scope as (
    select
        populations.population_key as document_hop_key,
        populations.hop,
        populations.side,
        populations.document_key,
        populations.piece as piece_key,
        coalesce(case when populations.hop = 'invoice_cash' then populations.piece end, populations.document_key)
            as group_key,
        own.business_unit,
        own.legal_entity_id,
        own.customer_key,
        populations.currency_code,
        populations.period,
        populations.amount,
        own.functional_currency_code,
        case
            when populations.hop = 'invoice_ledger' then populations.amount
            else {{ round_minor('populations.amount * own.fx_rate', 'own.functional_minor_units') }}
        end as functional_amount,
        case
            when populations.hop = 'invoice_ledger'
                then {{ round_minor('populations.amount * own.functional_group_rate', 'in_group.minor_units') }}
            else {{ round_minor('populations.amount * own.group_rate', 'in_group.minor_units') }}
        end
            as group_amount,
        'scoped_out' as outcome,
        coalesce(own.scope_reason, settled.scope_reason) as reason_code,
        cast(null as {{ dbt.type_string() }}) as match_key
    from {{ ref('int_rec_populations') }} as populations
    inner join {{ ref_current('int_rec_documents') }} as own
        on populations.document_key = own.document_key
    left join {{ ref_current('int_rec_documents') }} as settled
        on populations.piece = settled.document_key and populations.hop = 'invoice_cash'
    cross join {{ ref('dim_currency') }} as in_group
    where
        in_group.currency_code = {{ group_currency() }}
        and coalesce(own.scope_reason, settled.scope_reason) is not null
),

judged as (
    select * from in_scope
    union all
    select * from out_of_scope
),

described as (
    select
        judged.*,
        document.connection,
        document.document_type,
        document.document_id,
        document.document_number,
        document.source_url,
        document.document_date
    from judged
    inner join {{ ref_current('int_rec_documents') }} as document on judged.document_key = document.document_key
)

{{ versioned('described') }}
