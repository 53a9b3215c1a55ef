-- What backfills and retention add to the books.

-- mode 'archive': the batch whose archive was landed again. Such a version is as old as that batch, not as its own.
alter table ops.load add column if not exists source_batch_id bigint;
create index if not exists load_source on ops.load (source_batch_id) where source_batch_id is not null;
-- The file is gone by policy; its hash stays.
alter table ops.load add column if not exists archive_pruned_at timestamptz;

-- A backfill that was asked for: the same arguments given again go on where it stopped.
create table if not exists ops.backfill (
    backfill_id     bigint generated always as identity primary key,
    connection      text not null,
    source          text not null check (source in ('vendor', 'archive')),
    arguments       jsonb not null,                 -- first day, day after the last, days, zone, streams, source
    requested_by    text not null,                  -- who and where, as the operating system says
    state           text not null default 'running'
                    check (state in ('running', 'failed', 'interrupted', 'finished', 'abandoned')),
    error           text,
    started_at      timestamptz not null default clock_timestamp(),
    finished_at     timestamptz
);
create index if not exists backfill_open on ops.backfill (connection) where state in ('running', 'failed', 'interrupted');

-- Its units: one stream in one window, or one archived batch. landed: committed, its checks not yet passed.
create table if not exists ops.backfill_window (
    backfill_id     bigint not null references ops.backfill,
    position        integer not null,
    stream          text not null,
    window_start    timestamptz,
    window_end      timestamptz,
    source_batch_id bigint,                         -- from the archive: the batch whose file is read
    state           text not null default 'pending' check (state in ('pending', 'landed', 'done')),
    run_id          bigint references ops.run,
    batch_id        bigint,                         -- what it became in ops.load
    received        bigint,
    note            text,
    changed_at      timestamptz not null default clock_timestamp(),
    primary key (backfill_id, position)
);

-- What ledger rows that were pruned had proved, so that the next window starts where it would have started.
create table if not exists ops.pruned_load (
    connection      text not null,
    stream          text not null,
    covered_until   timestamptz,
    last_complete   timestamptz,
    parent_batch_id bigint,
    loads           bigint not null default 0,
    primary key (connection, stream)
);

-- --- retention --------------------------------------------------------------------------------------------------------
-- A publication whose versions were let go: as_of() refuses it, rather than show half of it.
alter table ops.publication add column if not exists pruned_at timestamptz;

-- Nothing younger than a day goes, whatever the caller asks for.
create or replace function ops.refuse_young(older_than timestamptz) returns void
    language plpgsql stable set search_path = pg_catalog as $$
begin
    if older_than is null or older_than > now() - interval '1 day' then
        raise exception 'nothing younger than a day is pruned, and % is asked for', older_than;
    end if;
end $$;

-- The batch up to which closed versions are of no use to any build: it ended before `older_than`, and the last two good
-- builds (a build may be repeated) have consumed it. -1 before the first build.
create or replace function ops.prunable_batch(older_than timestamptz) returns bigint
    language sql stable security definer set search_path = pg_catalog as $$
    select least(
        (select coalesce(min(w.batch_id), -1) from
            (select b.batch_id from ops.build_watermark b order by b.run_id desc limit 2) w),
        (select coalesce(min(l.batch_id) - 1, 9223372036854775807) from ops.load l
          where coalesce(l.finished_at, 'infinity') >= older_than))
$$;

-- Closed versions of one raw table, at most `chunk` of them. Current versions cannot be reached through this.
create or replace function ops.prune_raw(table_name text, older_than timestamptz, chunk integer) returns bigint
    language plpgsql security definer set search_path = pg_catalog as $$
declare
    gone bigint;
begin
    perform ops.refuse_young(older_than);
    if not exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname = 'raw' and c.relname = table_name and c.relkind = 'r') then
        raise exception 'raw.% is no table', table_name;
    end if;
    execute format(
        'delete from raw.%I where ctid = any(array(select ctid from raw.%I where _superseded_batch is not null '
        'and _superseded_batch <= $1 limit $2)) and _superseded_batch is not null', table_name, table_name)
        using ops.prunable_batch(older_than), chunk;
    get diagnostics gone = row_count;
    return gone;
end $$;

-- Rows of the landing ledger that nothing needs: failed attempts, and committed loads whose archive is gone (or never
-- was), but never a stream's newest load, newest complete one or furthest window, what a quarantined record came from,
-- what an unfinished backfill reads, or what no build has consumed.
create or replace function ops.prunable_loads(older_than timestamptz) returns setof bigint
    language sql stable security definer set search_path = pg_catalog as $$
    select l.batch_id from ops.load l
     where l.finished_at < older_than and l.state <> 'running'
       and l.batch_id <= ops.prunable_batch(older_than)
       and (l.state = 'failed' or l.archive_uri is null or l.archive_pruned_at is not null)
       and not exists (select from ops.quarantine q where q.batch_id = l.batch_id)
       and not exists (select from ops.backfill_window w join ops.backfill b using (backfill_id)
                        where w.source_batch_id = l.batch_id and w.state <> 'done'
                          and b.state in ('running', 'failed', 'interrupted'))
       and l.batch_id not in (
            select distinct on (x.connection, x.stream) x.batch_id from ops.load x where x.state = 'committed'
             order by x.connection, x.stream, x.batch_id desc)
       and l.batch_id not in (
            select distinct on (x.connection, x.stream) x.batch_id from ops.load x
             where x.state = 'committed' and x.mode = 'full' order by x.connection, x.stream, x.batch_id desc)
       and l.batch_id not in (
            select distinct on (x.connection, x.stream) x.batch_id from ops.load x where x.state = 'committed'
             order by x.connection, x.stream, x.window_end desc nulls last)
$$;

create or replace function ops.prune_loads(older_than timestamptz, in_connection text, in_stream text) returns bigint
    language plpgsql security definer set search_path = pg_catalog as $$
declare
    gone bigint;
begin
    perform ops.refuse_young(older_than);
    delete from ops.load l using ops.prunable_loads(older_than) p(batch_id)
     where l.batch_id = p.batch_id and l.connection = in_connection and l.stream = in_stream;
    get diagnostics gone = row_count;
    return gone;
end $$;

-- Evidence of runs: never of a publication that is kept, nor of what the next build starts from.
create or replace function ops.prunable_runs(older_than timestamptz) returns setof bigint
    language sql stable security definer set search_path = pg_catalog as $$
    select r.run_id from ops.run r
     where r.started_at < older_than
       and r.run_id < (select max(w.run_id) from ops.build_watermark w)
       and not exists (select from ops.publication p where p.run_id = r.run_id and p.pruned_at is null)
       and not exists (select from ops.pointer x where x.run_id = r.run_id)
$$;

create or replace function ops.prune_evidence(older_than timestamptz) returns bigint
    language plpgsql security definer set search_path = pg_catalog as $$
declare
    gates bigint;
    models bigint;
begin
    perform ops.refuse_young(older_than);
    delete from ops.gate_result g using ops.prunable_runs(older_than) p(run_id) where g.run_id = p.run_id;
    get diagnostics gates = row_count;
    delete from ops.model_run m using ops.prunable_runs(older_than) p(run_id) where m.run_id = p.run_id;
    get diagnostics models = row_count;
    return gates + models;
end $$;

-- Let a publication go: never the one that readers see.
create or replace function ops.release_publication(run bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog as $$
begin
    update ops.publication p set pruned_at = clock_timestamp()
     where p.run_id = run and p.pruned_at is null and p.published_at < now() - interval '1 day'
       and not exists (select from ops.pointer x where x.run_id = run);
    return found;
end $$;

revoke all on function ops.refuse_young(timestamptz), ops.prunable_batch(timestamptz),
    ops.prune_raw(text, timestamptz, integer), ops.prunable_loads(timestamptz), ops.prune_loads(timestamptz, text, text),
    ops.prunable_runs(timestamptz), ops.prune_evidence(timestamptz), ops.release_publication(bigint) from public;
grant execute on function ops.refuse_young(timestamptz), ops.prunable_batch(timestamptz),
    ops.prune_raw(text, timestamptz, integer), ops.prunable_loads(timestamptz), ops.prune_loads(timestamptz, text, text),
    ops.prunable_runs(timestamptz), ops.prune_evidence(timestamptz) to tieout_loader;
grant execute on function ops.release_publication(bigint) to tieout_publisher;
