-- Per connection, currency and transaction type, the fact holds exactly the landed item and tax lines of orders, bills
-- and credits, in the seller's sign, in scope or out. Read from raw, not from the models that made the fact.
{{ config(enabled='netsuite' in var('systems')) }}

with landed as (
    select
        header._connection as connection,
        currency.symbol as currency_code,
        types.document_type,
        -sum(line.foreignamount) as amount
    from {{ source('netsuite', 'netsuite__transaction') }} as header
    inner join {{ source('netsuite', 'netsuite__transactionline') }} as line
        on header._connection = line._connection and header.id = line.transaction
    inner join {{ source('netsuite', 'netsuite__currency') }} as currency
        on header._connection = currency._connection and header.currency = currency.id
    inner join {{ ref('map_netsuite_transaction_type') }} as types on header.type = types.type_code
    where
        header._superseded_batch is null and not header._is_deleted
        and line._superseded_batch is null and not line._is_deleted
        and currency._superseded_batch is null and not currency._is_deleted
        and types.event_type in ('order', 'billing', 'billing_credit')
        and not coalesce(line.mainline, false)
        and not coalesce(line.iscogs, false)
        and not coalesce(line.donotdisplayline, false)
        and coalesce(line.itemtype, '') not in ('Subtotal', 'Group', 'EndGroup', 'Description', 'Payment')
    group by header._connection, currency.symbol, types.document_type
),

built as (
    select
        connection,
        currency_code,
        document_type,
        sum(total_amount) as amount
    from {{ ref_current('fct_revenue') }} as revenue
    where event_type in ('order', 'billing', 'billing_credit') and source_system = 'netsuite'
    group by connection, currency_code, document_type
)

select
    coalesce(landed.connection, built.connection) as connection,
    coalesce(landed.currency_code, built.currency_code) as currency_code,
    coalesce(landed.document_type, built.document_type) as document_type,
    landed.amount as landed_amount,
    built.amount as built_amount
from landed
full outer join built
    on
        landed.connection = built.connection
        and landed.currency_code = built.currency_code
        and landed.document_type = built.document_type
where landed.amount is distinct from built.amount
