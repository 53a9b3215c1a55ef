select
    _connection as connection,
    _key as record_key,
    lower(dataareaid) || '|' || salesordernumber as document_id,
    inventorylotid as line_id,
    itemnumber as product_id,
    salesunitsymbol as unit,
    salesorderlinestatus as status_code,
    orderedsalesquantity as quantity,
    lineamount as net_amount,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__salesorderlines') }}
where _superseded_batch is null and not _is_deleted
