-- Documents that nothing names and nothing else explains: one customer, one currency, one amount to the minor unit, within the
-- hop's days (pass 7). Believed only where no third document of either side fits as well, whether it is matched or not: an
-- amount that a customer's documents repeat tells nothing. So a match rests on its days alone, and what comes later leaves it be.
{% set documents = ref_current('int_rec_documents') %}
{% set same_figures = "{0}.customer_key = {1}.customer_key and {0}.net_amount = {1}.net_amount"
    ~ " and {0}.currency_code = {1}.currency_code and {0}.business_unit = {1}.business_unit" %}
{% set came_from = "document.document_key = link.to_document_key and link.link_type = 'created_from'" %}
with named as (
    select * from {{ ref('int_rec_pairs__named') }}
),

of_deals as (
    select
        'deal_order' as hop,
        document.*
    {{ from_judged(documents, 'document', 'deal_order') }}
    where document.role = 'order' and document.document_type = 'order' and document.external_id is null
),

-- What says from what it was made is not looked for by figures.
of_orders as (
    select
        'order_invoice' as hop,
        document.*
    {{ from_judged(documents, 'document', 'order_invoice') }}
    {{ look_up(ref('int_document_links__unioned'), 'link', came_from, 'left') }}
    where document.role = 'billing' and link.to_document_key is null
),

looking as (
    select * from of_deals
    union all
    select * from of_orders
),

rights as (
    select
        looking.hop,
        looking.document_key,
        looking.business_unit,
        looking.customer_key,
        looking.currency_code,
        looking.net_amount,
        looking.document_date,
        tolerance.figures_days
    from looking
    inner join {{ ref('rec_hop_tolerances') }} as tolerance on looking.hop = tolerance.hop
    left join (
        select
            hop,
            right_document_key
        from named
        union
        select
            hop,
            right_document_key
        from {{ ref('int_rec_reference_candidates') }}
    ) as known on looking.hop = known.hop and looking.document_key = known.right_document_key
    where
        known.hop is null
        and looking.scope_reason is null
        and not looking.is_void
        and not looking.is_credit
        -- somebody said what it follows, and it is not there
        and not looking.is_cross_referenced
        and looking.net_amount > 0
),

lefts as (
    {% for hop in ['deal_order', 'order_invoice'] -%}
    select
        '{{ hop }}' as hop,
        document.*
    {{ from_judged(documents, 'document', hop) }}
    where {{ is_on_side("'" ~ hop ~ "'", 'left', 'document') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

open_lefts as (
    select lefts.*
    from lefts
    left join (
        select distinct
            hop,
            left_document_key
        from named
    ) as taken on lefts.hop = taken.hop and lefts.document_key = taken.left_document_key
    where taken.hop is null and lefts.scope_reason is null and not lefts.is_void and lefts.net_amount > 0
),

candidates as (
    select
        rights.*,
        open_lefts.document_key as left_document_key,
        open_lefts.document_date as left_date
    from rights
    inner join open_lefts on rights.hop = open_lefts.hop and {{ same_figures.format('open_lefts', 'rights') }}
    left join {{ ref('int_rec_pairs__decided') }} as refused
        on
            rights.hop = refused.hop
            and open_lefts.document_key = refused.left_document_key
            and rights.document_key = refused.right_document_key
    where
        refused.hop is null
        and {{ within_days('open_lefts.document_date', 'rights.document_date', 'rights.figures_days') }}
),

rivals as (
    select distinct
        candidates.hop,
        candidates.left_document_key,
        candidates.document_key
    from candidates
    {{ look_up(documents, 'rival', same_figures.format('rival', 'candidates')) }}
    where
        rival.scope_reason is null
        and (
            (
                rival.document_key <> candidates.left_document_key
                and {{ is_on_side('candidates.hop', 'left', 'rival') }}
                and {{ within_days('rival.document_date', 'candidates.document_date', 'candidates.figures_days') }}
            )
            or (
                rival.document_key <> candidates.document_key
                and {{ is_on_side('candidates.hop', 'right', 'rival') }}
                and {{ within_days('rival.document_date', 'candidates.left_date', 'candidates.figures_days') }}
            )
        )
)

select
    candidates.hop,
    candidates.left_document_key,
    candidates.document_key as right_document_key,
    7 as match_pass,
    0 as has_rival
from candidates
left join rivals
    on
        candidates.hop = rivals.hop
        and candidates.left_document_key = rivals.left_document_key
        and candidates.document_key = rivals.document_key
where rivals.hop is null
