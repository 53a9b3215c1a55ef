{#
  What deposits are made of: all lines but the bank's own, in the deposit's sign. A line brings a receipt to the bank (a row of
  NextTransactionLineLink says which), or it posts to its account directly: an expense below zero is what somebody kept, a fee.
#}
with deposits as (
    select
        connection,
        document_id
    from {{ ref('stg_netsuite__documents') }}
    where document_type = 'bank_deposit'
),

accounts as (
    select
        entry.connection,
        entry.transaction,
        entry.transactionline,
        min(coalesce(account.acctnumber, account.id)) as account_code,
        min(account.accttype) as account_type
    from deposits
    inner join {{ ref('base_netsuite__transactionaccountingline') }} as entry
        on deposits.connection = entry.connection and deposits.document_id = entry.transaction
    inner join {{ ref('base_netsuite__account') }} as account
        on entry.connection = account.connection and entry.account = account.record_key
    group by entry.connection, entry.transaction, entry.transactionline
),

links as (
    select
        link.connection,
        link.nextdoc,
        link.nextline,
        min(receipt.document_key) as receipt_document_key,
        min(coalesce(receipt.document_number, link.previousdoc)) as receipt_number
    from deposits
    inner join {{ ref('base_netsuite__nexttransactionlink') }} as link
        on deposits.connection = link.connection and deposits.document_id = link.nextdoc
    left join {{ ref('stg_netsuite__documents') }} as receipt
        on link.connection = receipt.connection and link.previousdoc = receipt.document_id
    where not link.is_deleted
    group by link.connection, link.nextdoc, link.nextline
),

lines as (
    select
        line.connection,
        line.transaction as deposit_id,
        line.id as line_id,
        links.receipt_document_key,
        links.receipt_number,
        accounts.account_code,
        -line.foreignamount as amount,
        links.receipt_number is null
        and line.foreignamount > 0
        and coalesce(accounts.account_type in ('Expense', 'OthExpense', 'COGS'), false)
            as is_fee
    from deposits
    inner join {{ ref('base_netsuite__transactionline') }} as line
        on deposits.connection = line.connection and deposits.document_id = line.transaction
    left join accounts
        on
            line.connection = accounts.connection
            and line.transaction = accounts.transaction
            and line.id = accounts.transactionline
    left join links
        on line.connection = links.connection and line.transaction = links.nextdoc and line.id = links.nextline
    where not coalesce(line.mainline, false) and line.foreignamount <> 0
)

{{ select_contract('bank_deposit_lines', 'lines') }}
