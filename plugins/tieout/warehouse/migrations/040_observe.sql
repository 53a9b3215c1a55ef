-- What a run did, step by step, and what each load cost.

-- One row per run × step × attempt: the only place where facts of a step are kept.
create table if not exists ops.step (
    step_id           bigint generated always as identity primary key,
    run_id            bigint not null references ops.run,
    step              text not null,                -- land, check_landing, build, match, check_marts, publish, report
    attempt           integer not null,             -- 1, and one more each time that the step is repeated in its run
    state             text not null default 'running' check (state in ('running', 'succeeded', 'failed', 'killed')),
    started_at        timestamptz not null default clock_timestamp(),
    finished_at       timestamptz,                  -- killed: when it was noticed
    seconds           numeric(12, 3),
    rows              bigint,                       -- land: received; build: written by models; else null
    bytes             bigint,                       -- bodies of the vendor's answers
    requests          integer,
    retries           integer,
    waited_seconds    numeric(12, 3),               -- rate limits and other pauses before another try
    token_refreshes   integer,
    peak_memory_bytes bigint,                       -- of the process that ran it, since that process began
    facts             jsonb not null default '{}',  -- what else the step says of itself
    error             text,
    unique (run_id, step, attempt)
);

alter table ops.load add column if not exists bytes bigint not null default 0;
alter table ops.load add column if not exists retries integer not null default 0;
alter table ops.load add column if not exists waited_seconds numeric(12, 3) not null default 0;
alter table ops.load add column if not exists token_refreshes integer not null default 0;
-- {extract, copy, compare, archive: seconds that the load waited for that part}; parts overlap in other threads.
alter table ops.load add column if not exists phases jsonb not null default '{}';

-- Up to when each stream should have landed, as of the check that wrote it: see `tieout.freshness`.
create table if not exists ops.promise (
    connection      text not null,
    stream          text not null,
    due_at          timestamptz,                    -- null: nothing is promised
    as_of           timestamptz not null,
    primary key (connection, stream)
);

-- Facts lived in ops.run before; they move, so that there is one truth.
do $$
begin
    if exists (select from information_schema.columns
                where table_schema = 'ops' and table_name = 'run' and column_name = 'facts') then
        insert into ops.step (run_id, step, attempt, state, started_at, finished_at, seconds, facts)
        select r.run_id, f.key, 1, 'succeeded', coalesce((f.value ->> 'started_at')::timestamptz, r.started_at),
               r.finished_at, (f.value ->> 'seconds')::numeric, f.value - 'started_at' - 'seconds'
          from ops.run r cross join lateral jsonb_each(r.facts) f
         where jsonb_typeof(f.value) = 'object'
        on conflict do nothing;
        alter table ops.run drop column facts;
    end if;
end $$;

-- A step holds this lock while its process lives: 'running' without it means that the process was killed.
create or replace function ops.step_lock(step_id bigint) returns bigint
    language sql immutable parallel safe
    return hashtextextended('step/' || step_id, 7160040);

create or replace function ops.step_is_alive(step_id bigint) returns boolean
    language sql volatile
    return exists (
        select 1 from pg_catalog.pg_locks k
         where k.locktype = 'advisory' and k.objsubid = 1 and k.granted
           and k.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
           and ((k.classid::bigint << 32) | k.objid::bigint) = ops.step_lock($1));

-- Write down as killed what still reads 'running' although its process is gone. Returns how many.
create or replace function ops.settle_steps() returns bigint
    language sql volatile
begin atomic
    with gone as (
        update ops.step s
           set state = 'killed', finished_at = clock_timestamp(), error = 'its process ended before the step did'
         where s.state = 'running' and not ops.step_is_alive(s.step_id)
        returning 1
    )
    select count(*) from gone;
end;

-- Steps as they are now, whoever looks.
create or replace view ops.step_now as
select s.step_id, s.run_id, s.step, s.attempt,
       case when s.state = 'running' and not ops.step_is_alive(s.step_id) then 'killed' else s.state end as state,
       s.started_at, s.finished_at,
       coalesce(s.seconds, round(extract(epoch from coalesce(s.finished_at, clock_timestamp()) - s.started_at), 3)) as seconds,
       s.rows, s.bytes, s.requests, s.retries, s.waited_seconds, s.token_refreshes, s.peak_memory_bytes, s.facts, s.error
  from ops.step s;
