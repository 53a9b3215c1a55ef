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
