-- What a reference on documents of one side means on the other, as the company's own table says it. Append-only: an import
-- writes what came and what went. The newest row about an entry counts.
create table if not exists ops.document_crossref (
    crossref_id   bigint generated always as identity primary key,
    hop           text not null check (hop in ('deal_order', 'order_invoice')),
    business_unit text check (business_unit <> ''),  -- NULL: all units
    reference     text not null check (reference <> ''),
    means         text not null check (means <> ''),
    valid_from    date,                              -- both days belong to it; NULL: without end
    valid_to      date,
    is_removed    boolean not null,
    imported_by   text not null check (imported_by <> ''),
    imported_at   timestamptz not null default clock_timestamp(),
    check (valid_from <= valid_to)
);
create index if not exists document_crossref_entry
    on ops.document_crossref (hop, business_unit, reference, means, valid_from, valid_to, crossref_id desc);

-- The table as it stands.
create or replace view ops.document_crossref_now as
select crossref_id, hop, business_unit, reference, means, valid_from, valid_to, imported_by, imported_at
  from (
        select distinct on (hop, business_unit, reference, means, valid_from, valid_to) *
          from ops.document_crossref
         order by hop, business_unit, reference, means, valid_from, valid_to, crossref_id desc) as newest
 where not is_removed;
