select
    _connection as connection,
    _key as record_key,
    headerid,
    orderkey,
    ordernumber,
    sourcetransactionnumber,
    sourcetransactionsystem,
    businessunitname,
    requestinglegalentity,
    buyingpartyname,
    buyingpartynumber,
    customerponumber,
    transactionalcurrencycode,
    statuscode,
    'Sales Order' as type_code,
    upper(openflag) in ('Y', 'TRUE', 'T', '1') as openflag,
    upper(canceledflag) in ('Y', 'TRUE', 'T', '1') as canceledflag,
    transactionon,
    lastupdatedate,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__salesordersfororderhub') }}
where _superseded_batch is null and not _is_deleted
