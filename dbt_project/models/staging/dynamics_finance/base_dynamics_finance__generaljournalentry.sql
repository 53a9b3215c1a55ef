select
    _connection as connection,
    _key as record_key,
    cast(sourcekey as {{ dbt.type_string() }}) as id,
    subledgervoucher as voucher,
    upper(nullif(trim(subledgervoucherdataareaid), '')) as company,
    ledger as ledger_id,
    journalcategory as category_code,
    postinglayer as layer,
    accountingdate as posting_date,
    documentdate as document_date,
    nullif(trim(documentnumber), '') as document_number,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__generaljournalentry') }}
where _superseded_batch is null and not _is_deleted
