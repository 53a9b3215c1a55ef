-- References of right-hand documents that lead to no document of the left side: to nothing at all, to a document that another
-- customer has or that several have, or to one that is not compared (out of scope, or a deal that is not won any more).
with paired as (
    select distinct
        hop,
        right_document_key
    from {{ ref('int_rec_pairs') }}
),

followers as (
    select
        case when document.role = 'order' then 'deal_order' else 'order_invoice' end as hop,
        document.*
    from {{ ref_current('int_rec_documents') }} as document
    where
        document.scope_reason is null
        and (document.role = 'billing' or (document.role = 'order' and document.document_type = 'order'))
),

loose as (
    select followers.*
    from followers
    {{ join_judged('followers.hop', 'followers.document_key') }}
    left join paired on followers.hop = paired.hop and followers.document_key = paired.right_document_key
    where paired.right_document_key is null
),

-- External ids: the CRM's order may be there, while its deal is lost, reopened or deleted.
external as (
    select
        loose.hop,
        loose.document_key,
        loose.external_id as reference,
        crm.document_key as predecessor_key,
        cast(null as {{ dbt.type_string() }}) as mistaken_key,
        false as is_known_elsewhere,
        false as is_other_customer
    from loose
    left join {{ ref_current('int_rec_documents') }} as crm
        on
            loose.external_id = crm.document_id
            and loose.business_unit = crm.business_unit
            and crm.document_type = 'crm_order'
    where loose.hop = 'deal_order' and loose.external_id is not null
),

-- Made from something: nothing that we know, or something that is not compared.
made as (
    select
        loose.hop,
        loose.document_key,
        coalesce(link.from_type || ' ', '') || link.from_id as reference,
        source.document_key as predecessor_key,
        cast(null as {{ dbt.type_string() }}) as mistaken_key,
        false as is_known_elsewhere,
        false as is_other_customer
    from loose
    inner join {{ ref('int_document_links__unioned') }} as link on loose.document_key = link.to_document_key
    left join {{ ref_current('int_rec_documents') }} as source on link.from_document_key = source.document_key
    where loose.hop = 'order_invoice' and link.link_type = 'created_from'
),

candidates as (
    select
        hop,
        right_document_key,
        -- what the cross-reference table names may be another customer's
        max(case when is_same_customer or is_cross_referenced then 1 else 0 end) as same_customer_count,
        -- a name that only one document answers to
        case when count(*) = 1 then min(left_document_key) end as mistaken_key
    from {{ ref('int_rec_reference_candidates') }}
    group by hop, right_document_key
),

referring as (
    select
        loose.hop,
        loose.document_key,
        case
            when loose.is_cross_referenced then loose.reference || ', by the cross-reference table ' || loose.sought_token
            else loose.reference
        end as reference,
        cast(null as {{ dbt.type_string() }}) as predecessor_key,
        candidates.mistaken_key,
        candidates.right_document_key is not null as is_known_elsewhere,
        candidates.same_customer_count = 0 as is_other_customer
    from loose
    left join candidates on loose.hop = candidates.hop and loose.document_key = candidates.right_document_key
    where loose.sought_token is not null
)

select
    hop,
    document_key,
    reference,
    predecessor_key,
    mistaken_key,
    is_known_elsewhere,
    is_other_customer
from external
union all
select
    hop,
    document_key,
    coalesce(reference, 'an unknown id') as reference,
    predecessor_key,
    mistaken_key,
    is_known_elsewhere,
    is_other_customer
from made
union all
select
    hop,
    document_key,
    reference,
    predecessor_key,
    mistaken_key,
    is_known_elsewhere,
    coalesce(is_other_customer, false) as is_other_customer
from referring
