-- One row per deal, or per first document where there is no deal: how far it came, and with which amount at each hop.
{{ config(materialized='incremental', incremental_strategy='versioned', scope='all', full_refresh=false, unique_key='chain_key') }}

with documents as (
    select * from {{ ref('int_rec_documents') }}
    where scope_reason is null
),

members as (
    select * from {{ ref('int_rec_members') }}
),

-- Groups with a left side are named by its first document: that is where the chain goes on.
orders as (
    select
        members.document_key,
        coalesce(deal.document_key, members.document_key) as root_key
    from members
    left join documents as deal on members.group_key = deal.document_key and deal.role = 'deal'
    where members.hop = 'deal_order' and members.side = 'right'
),

billing as (
    select
        members.document_key,
        coalesce(orders.root_key, members.document_key) as root_key
    from members
    left join orders on members.group_key = orders.document_key
    where members.hop = 'order_invoice' and members.side = 'right'
),

roots as (
    select document_key as root_key from documents
    where role = 'deal'
    union
    select root_key from orders
    union
    select root_key from billing
),

ordered as (
    select
        orders.root_key,
        sum(documents.net_amount) as order_amount,
        count(*) as order_count
    from orders
    inner join documents on orders.document_key = documents.document_key
    group by orders.root_key
),

billed as (
    select
        billing.root_key,
        sum(case when documents.is_credit then 0 else documents.net_amount end) as invoice_amount,
        sum(case when documents.is_credit then documents.net_amount else 0 end) as credit_amount,
        count(*) as billing_count
    from billing
    inner join documents on billing.document_key = documents.document_key
    group by billing.root_key
),

posted as (
    select
        billing.root_key,
        sum(members.amount) as ledger_amount,
        count(*) as posting_count
    from billing
    inner join members on billing.document_key = members.document_key
    where members.hop = 'invoice_ledger' and members.side = 'right'
    group by billing.root_key
),

paid as (
    select
        billing.root_key,
        sum(members.amount) as cash_amount,
        count(*) as cash_count
    from billing
    inner join members on billing.document_key = members.piece
    where members.hop = 'invoice_cash' and members.side = 'right'
    group by billing.root_key
),

customers as (
    select
        customer_key,
        name
    from {{ ref_current('dim_customer') }}
),

chains as (
    select
        {{ hash_key(['roots.root_key']) }} as chain_key,
        first_document.connection,
        case when first_document.role = 'deal' then first_document.document_key end as deal_document_key,
        case when first_document.role = 'deal' then first_document.document_number end as deal_number,
        roots.root_key as first_document_key,
        first_document.legal_entity_id,
        first_document.customer_key,
        customers.name as customer_name,
        first_document.currency_code,
        case when first_document.role = 'deal' then first_document.net_amount else 0 end as deal_amount,
        coalesce(ordered.order_amount, 0) as order_amount,
        coalesce(billed.invoice_amount, 0) as invoice_amount,
        coalesce(billed.credit_amount, 0) as credit_amount,
        coalesce(posted.ledger_amount, 0) as ledger_amount,
        coalesce(paid.cash_amount, 0) as cash_amount,
        case
            when paid.cash_count > 0 then 'cash'
            when posted.posting_count > 0 then 'ledger'
            when billed.billing_count > 0 then 'invoice'
            when ordered.order_count > 0 then 'order'
            else 'deal'
        end as stopped_at,
        first_document.period,
        first_document.document_date
    from roots
    inner join documents as first_document on roots.root_key = first_document.document_key
    left join ordered on roots.root_key = ordered.root_key
    left join billed on roots.root_key = billed.root_key
    left join posted on roots.root_key = posted.root_key
    left join paid on roots.root_key = paid.root_key
    left join customers on first_document.customer_key = customers.customer_key
)

{{ versioned('chains') }}
