-- Enumerations are closed: a code that no seed maps is named here, with the connection that sent it.
select
    connection,
    code_set,
    code_value,
    document_count
from {{ ref('int_codes__unmapped') }}
