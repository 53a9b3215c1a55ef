{#
  What deposits are made of. A line brings a receipt to the bank, or it posts to its account directly: below zero, it is what
  somebody kept, a fee.
#}
with links as (
    select
        connection,
        document_id,
        {{ regex_replace('position', '/l[0-9]+$', '') }} as line_position,
        min(linked_id) as linked_id
    from {{ ref('base_quickbooks__depositline') }}
    where kind = 'link'
    group by connection, document_id, {{ regex_replace('position', '/l[0-9]+$', '') }}
),

receipts as (
    select
        connection,
        document_id,
        document_key,
        document_number
    from {{ ref('stg_quickbooks__documents') }}
),

lines as (
    select
        line.connection,
        line.document_id as deposit_id,
        line.line_id,
        receipts.document_key as receipt_document_key,
        coalesce(receipts.document_number, links.linked_id) as receipt_number,
        account.account_code,
        line.amount,
        links.linked_id is null and line.amount < 0 as is_fee
    from {{ ref('base_quickbooks__depositline') }} as line
    left join links
        on
            line.connection = links.connection
            and line.document_id = links.document_id
            and line.position = links.line_position
    left join receipts on links.connection = receipts.connection and links.linked_id = receipts.document_id
    left join {{ ref('base_quickbooks__account') }} as account
        on line.connection = account.connection and line.account = account.id
    where line.kind = 'line' and line.amount <> 0
)

{{ select_contract('bank_deposit_lines', 'lines') }}
