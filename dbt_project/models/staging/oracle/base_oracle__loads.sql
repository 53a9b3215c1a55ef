-- When a batch's window ended, by the source's own clock.
select
    batch_id,
    window_end
from {{ source('ops', 'load') }}
