select
    _connection as connection,
    _key as record_key,
    ratetypename as rate_type,
    fromcurrency as from_currency,
    tocurrency as to_currency,
    rate,
    case conversionfactor
        when 'One' then 1
        when 'Ten' then 10
        when 'Hundred' then 100
        when 'Thousand' then 1000
        when 'TenThousand' then 10000
    end as factor,
    conversionfactor as factor_code,
    startdate as valid_from,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('dynamics_finance', 'dynamics_finance__exchangerates') }}
where _superseded_batch is null and not _is_deleted
