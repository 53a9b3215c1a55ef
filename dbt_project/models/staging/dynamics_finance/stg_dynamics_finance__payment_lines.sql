{#
  Lines of payment journals that stand for a payment themselves. A payment that is posted is there twice: as the line that
  was keyed, and as the customer's transaction that posting made. The transaction counts: settlements name it, it knows its
  amount in the company's currency, and reversals refer to it; a line knows none of this. A line counts while its voucher
  has no transaction: not posted, it is no cash yet; posted, with transactions that were not landed (the set may be closed
  to us, or not selected), it is cash that is applied to nothing.
  A voucher is posted as a whole or not at all, so that one transaction of it stands for all of its lines.
#}
{{ config(
    materialized='table', pre_hook="{{ session_settings() }}", indexes=[{'columns': ['connection', 'document_id']}]
) }}

with posted as (
    select distinct
        connection,
        company,
        voucher
    from {{ ref('base_dynamics_finance__custtrans') }}
)

select
    line.connection,
    line.record_key,
    line.document_id,
    line.company,
    coalesce(line.voucher, line.journal_number) as document_number,
    line.voucher,
    -- A dash within an account is escaped by a backslash, because dashes part the segments of others.
    replace(line.account, chr(92), '') as account,
    line.currency_code,
    line.reference,
    line.exchange_rate,
    line.amount,
    line.document_date,
    coalesce(journal.is_posted, false) as is_posted,
    line.modified_at,
    case when journal.batch_id > line.batch_id then journal.batch_id else line.batch_id end as batch_id
from {{ ref('base_dynamics_finance__paymentlines') }} as line
left join {{ ref('base_dynamics_finance__paymentjournals') }} as journal
    on
        line.connection = journal.connection
        and line.journal_company = journal.company
        and line.journal_number = journal.journal_number
inner join {{ ref('map_dynamics_finance_journal_account') }} as kind on line.account_type = kind.account_type
left join posted
    on
        line.connection = posted.connection
        and line.company = posted.company
        and line.voucher = posted.voucher
where kind.is_customer and posted.voucher is null
