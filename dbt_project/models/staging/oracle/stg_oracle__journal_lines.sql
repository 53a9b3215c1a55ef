{# Lines of journals in one form. The other side is empty, not 0. #}
select
    connection,
    record_key,
    jeheaderid,
    accountcombination,
    currencycode,
    entereddr,
    enteredcr,
    accounteddr,
    accountedcr
from {{ ref('base_oracle__journallines') }}
union all
select
    line.connection,
    line.record_key,
    line.jeheaderid,
    account.codecombinationsegment1 || '.' || account.codecombinationsegment2 || '.' || account.codecombinationsegment3
    || '.' || account.codecombinationsegment4,
    line.gljelinescurrencycode,
    line.gljelinesentereddr,
    line.gljelinesenteredcr,
    line.gljelinesaccounteddr,
    line.gljelinesaccountedcr
from {{ ref('base_oracle__journalline') }} as line
left join {{ ref('base_oracle__codecombination') }} as account
    on line.connection = account.connection and line.gljelinescodecombinationid = account.record_key
