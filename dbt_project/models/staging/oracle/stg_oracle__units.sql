{# Business units with the ledger and the legal entity that they post to. Names are what documents say; they may change. #}
select
    unit.connection,
    unit.businessunitname as unit_name,
    ledger.name as ledger_name,
    ledger.currencycode as functional_currency_code,
    entity.legalentityidentifier as entity_source_id
from {{ ref('base_oracle__finbusinessunitslov') }} as unit
left join {{ ref('base_oracle__ledgerslov') }} as ledger
    on unit.connection = ledger.connection and unit.primaryledgerid = ledger.id
left join {{ ref('base_oracle__legalentitieslov') }} as entity
    on unit.connection = entity.connection and unit.legalentityid = entity.id
