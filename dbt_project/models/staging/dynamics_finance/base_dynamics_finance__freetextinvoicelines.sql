select
    _connection as connection,
    _key as record_key,
    'F' || cast(parentrecid as {{ dbt.type_string() }}) as document_id,
    cast(linenumber as {{ dbt.type_string() }}) as line_id,
    quantity,
    transactioncurrencyamount as net_amount,
    salestaxamount as tax_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__freetextinvoicelines') }}
where _superseded_batch is null and not _is_deleted
