select
    _connection as connection,
    _key as record_key,
    cast(sourcekey as {{ dbt.type_string() }}) as line_id,
    cast(generaljournalentry as {{ dbt.type_string() }}) as entry_id,
    cast(mainaccount as {{ dbt.type_string() }}) as main_account_id,
    postingtype as posting_type,
    transactioncurrencycode as currency_code,
    transactioncurrencyamount as amount,
    accountingcurrencyamount as functional_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__generaljournalaccountentry') }}
where _superseded_batch is null and not _is_deleted
