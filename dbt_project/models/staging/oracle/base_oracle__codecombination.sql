select
    _connection as connection,
    _key as record_key,
    codecombinationcodecombinationid,
    codecombinationchartofaccountsid,
    codecombinationsegment1,
    codecombinationsegment2,
    codecombinationsegment3,
    codecombinationsegment4,
    codecombinationenabledflag,
    _modified_at as modified_at,
    _batch_id as batch_id
from {{ source('oracle', 'oracle__codecombination') }}
where _superseded_batch is null and not _is_deleted
