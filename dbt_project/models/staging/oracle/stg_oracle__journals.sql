{# Journals with their batch in one form, whether they came over REST or in file extracts. Budgets are no accounting. #}
select
    batch.connection,
    batch.record_key as jebatchid,
    journal.record_key as jeheaderid,
    batch.batchname,
    batch.status,
    batch.type_code,
    'journalBatches' as stream,
    journal.journalname,
    journal.ledgername,
    journal.periodname,
    journal.currencycode,
    journal.currencyconversionrate,
    batch.is_document,
    journal.defaulteffectivedate,
    batch.creationdate,
    batch.modified_at,
    batch.batch_id
from {{ ref('base_oracle__journalbatches') }} as batch
inner join {{ ref('base_oracle__journalheaders') }} as journal
    on batch.connection = journal.connection and batch.record_key = journal.jebatchid
union all
select
    batch.connection,
    batch.record_key,
    journal.record_key as jeheaderid,
    batch.journalbatchname,
    batch.journalbatchstatus,
    batch.type_code,
    'JournalBatch',
    journal.gljeheadersname,
    ledger.name,
    journal.gljeheadersperiodname,
    journal.gljeheaderscurrencycode,
    journal.gljeheaderscurrencyconversionrate,
    batch.is_document,
    journal.gljeheadersdefaulteffectivedate,
    batch.journalbatchcreationdate,
    batch.modified_at,
    batch.batch_id
from {{ ref('base_oracle__journalbatch') }} as batch
inner join {{ ref('base_oracle__journalheader') }} as journal
    on batch.connection = journal.connection and batch.record_key = journal.gljeheadersjebatchid
left join {{ ref('base_oracle__ledgerslov') }} as ledger
    on journal.connection = ledger.connection and journal.gljeheadersledgerid = ledger.id
where journal.gljeheadersactualflag = 'A'
