-- What a load received per field (to see what changed since), and what people decided about refused records.

-- {field: {"n": values, "of": records, "forms": [text, number, …], "seen": true}} by the vendor's word.
alter table ops.load add column if not exists fields jsonb not null default '{}';
-- A batch landed again from the archive names the batch that it repeats.
alter table ops.load add column if not exists source_batch_id bigint;
create index if not exists load_recent on ops.load (connection, stream, batch_id) where state = 'committed';

-- A record refused again is a new entry of one case: `case_id` is the first entry (null: this one is the first).
-- `amounts`: the record's control columns as far as they could be read, {column: text}; they sum to the load's.
-- superseded: a good version landed, or a younger entry carries the case.
alter table ops.quarantine
    add column if not exists case_id bigint,
    add column if not exists amounts jsonb not null default '{}',
    add column if not exists resolved_by text,
    add column if not exists corrected_payload text,
    add column if not exists payload_md5 uuid generated always as (md5(payload)::uuid) stored;
create index if not exists quarantine_payload on ops.quarantine (connection, stream, payload_md5);
create index if not exists quarantine_batch on ops.quarantine (batch_id);
create index if not exists quarantine_case on ops.quarantine (case_id) where case_id is not null;
do $$ begin
    if not exists (select from pg_constraint where conname = 'quarantine_status_known') then
        alter table ops.quarantine drop constraint if exists quarantine_status_check;
        alter table ops.quarantine add constraint quarantine_status_known
            check (status in ('open', 'replayed', 'waived', 'superseded'));
    end if;
end $$;

-- What lands instead of a value that typing refused. Append-only: the latest row of (connection, stream, field, received)
-- counts, and a row 'revoke' ends it. `value` null: nothing lands.
create table if not exists ops.quarantine_mapping (
    mapping_id      bigint generated always as identity primary key,
    connection      text not null,
    stream          text not null,
    field           text not null,                  -- the vendor's word
    received        text not null,                  -- the value as the quarantine shows it
    value           text,
    action          text not null default 'map' check (action in ('map', 'revoke')),
    decided_by      text not null check (btrim(decided_by) <> ''),
    reason          text not null check (btrim(reason) <> ''),
    decided_at      timestamptz not null default clock_timestamp(),
    check (action = 'map' or value is null)
);
create index if not exists quarantine_mapping_place on ops.quarantine_mapping (connection, stream);

-- How often a mapping was applied, per load. The landed row itself keeps the received value in `_extra`.
create table if not exists ops.quarantine_mapping_use (
    mapping_id      bigint not null references ops.quarantine_mapping,
    batch_id        bigint not null references ops.load,
    applied         bigint not null check (applied > 0),
    primary key (mapping_id, batch_id)
);

-- One row per load, kind of drift and field. A later load that read the same window, the
-- same archive or everything without it mends it.
create or replace view ops.drift as
select l.batch_id, l.run_id, l.connection, l.stream, l.finished_at, d.kind, f.field, f.detail,
       exists (select from ops.load m
                where m.connection = l.connection and m.stream = l.stream and m.state = 'committed' and m.received > 0
                  and m.batch_id > l.batch_id
                  and (m.mode = 'full' or m.source_batch_id = l.batch_id
                       or (m.mode = 'incremental' and m.window_start <= l.window_start and m.window_end >= l.window_end))
                  and not jsonb_exists(coalesce(m.drift -> d.kind, '[]'), f.field)) as is_mended
  from ops.load l
  cross join lateral jsonb_each(l.drift) as d (kind, found)
  cross join lateral (
       select a.value as field, null::text as detail
         from jsonb_array_elements_text(case when jsonb_typeof(d.found) = 'array' then d.found else '[]' end) a
       union all
       select o.key, o.value from jsonb_each_text(case when jsonb_typeof(d.found) = 'object' then d.found else '{}' end) o
       ) f
 where l.state = 'committed' and l.drift <> '{}';
