-- What landing adds to its ledger, and how a reader of batches stays behind those still in flight.

-- A child stream (lines) has read the content of every parent version up to this batch of the parent's.
alter table ops.load add column if not exists parent_batch_id bigint;
alter table ops.quarantine add column if not exists modified_at timestamptz;

-- One lock per (connection, stream): two runs of one window wait for one another.
create or replace function ops.stream_lock(connection text, stream text) returns bigint
    language sql immutable parallel safe
    return hashtextextended(connection || '/' || stream, 7160002);

-- The greatest batch b such that no batch <= b can still commit. Batch ids are given at the start of a load, so that a
-- long load may commit after a later one: a reader that remembers max(batch_id) would never see it. A load counts
-- as alive while its process holds the stream's lock; what a crash left as 'running' does not hold readers back.
create or replace function ops.settled_batch_id() returns bigint
    language sql stable security definer set search_path = pg_catalog
    return coalesce(
        (select min(l.batch_id) - 1
           from ops.load l
           join pg_catalog.pg_locks k
             on k.locktype = 'advisory' and k.objsubid = 1 and k.granted
            and k.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            and ((k.classid::bigint << 32) | k.objid::bigint) = ops.stream_lock(l.connection, l.stream)
          where l.state = 'running'),
        (select max(l.batch_id) from ops.load l),
        0);
revoke all on function ops.settled_batch_id() from public;
grant execute on function ops.settled_batch_id() to tieout_owner, tieout_loader, tieout_transformer, tieout_publisher;

-- Statistics of a raw table, asked for by the loader after a large batch: without them the next comparison and the first
-- build plan for an empty table, and cost grows with the square of the rows. Autovacuum comes a minute too late.
create or replace function ops.analyze_raw(table_name text) returns void
    language plpgsql security definer set search_path = pg_catalog
    as $$
begin
    if exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = 'raw' and c.relname = table_name and c.relkind = 'r') then
        execute format('analyze raw.%I', table_name);
    end if;
end $$;
revoke all on function ops.analyze_raw(text) from public;
grant execute on function ops.analyze_raw(text) to tieout_loader;
