-- The books that Tieout keeps about itself. Idempotent: run on every start, by tieout_owner.
create schema if not exists ops;
create schema if not exists raw;
create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists marts;
create schema if not exists reporting;

-- One row per run of the pipeline. run_id orders runs, stamps versions in the marts and names publications.
create table if not exists ops.run (
    run_id        bigint generated always as identity primary key,
    kind          text not null check (kind in ('land', 'revenue')),
    label         text not null,                    -- the connection, or 'revenue'
    logical_at    timestamptz,                      -- the end of the data interval that the run stands for
    dag_run_id    text,
    state         text not null default 'running' check (state in ('running', 'succeeded', 'failed')),
    error         text,
    started_at    timestamptz not null default clock_timestamp(),
    finished_at   timestamptz
);

-- The landing ledger: one row per attempt to land a window of a stream. batch_id stamps rows in raw.
-- received = landed + unchanged + quarantined + replayed, in rows and in each control total.
create table if not exists ops.load (
    batch_id        bigint generated always as identity primary key,
    run_id          bigint references ops.run,
    connection      text not null,
    system          text not null,
    stream          text not null,
    table_name      text not null,
    mode            text not null check (mode in ('incremental', 'full', 'replay', 'archive')),
    window_start    timestamptz,                    -- null: from the beginning
    window_end      timestamptz,
    state           text not null default 'running' check (state in ('running', 'committed', 'failed')),
    received        bigint not null default 0,      -- records in the vendor's answers
    landed          bigint not null default 0,      -- new versions stored, tombstones of received records included
    unchanged       bigint not null default 0,      -- same hash as the current version: counted, not stored
    replayed        bigint not null default 0,      -- exact repeats within this batch (a repeated page)
    quarantined     bigint not null default 0,
    deleted         bigint not null default 0,      -- keys closed by a feed, a sweep, a shrunken parent or a full load
    control_totals  jsonb not null default '{}',    -- {column: {received, landed, unchanged, replayed, quarantined}} as text
    drift           jsonb not null default '{}',    -- {new_fields: [...], missing_fields: [...]}
    archive_uri     text,
    archive_sha256  text,
    archive_bytes   bigint,
    cursor_low      timestamptz,
    cursor_high     timestamptz,
    requests        integer not null default 0,
    error           text,
    started_at      timestamptz not null default clock_timestamp(),
    finished_at     timestamptz
);
create index if not exists load_stream on ops.load (connection, stream, window_end);

create table if not exists ops.quarantine (
    quarantine_id   bigint generated always as identity primary key,
    batch_id        bigint not null references ops.load,
    connection      text not null,
    stream          text not null,
    record_key      text,
    field           text,
    value           text,
    reason_code     text not null,                  -- type_error, missing_key, duplicate_key, out_of_range, bad_json, …
    reason          text not null,
    payload         text not null,                  -- the record as received (NUL shown as \u0000)
    status          text not null default 'open' check (status in ('open', 'replayed', 'waived')),
    note            text,
    first_seen_at   timestamptz not null default clock_timestamp(),
    resolved_at     timestamptz
);
create index if not exists quarantine_open on ops.quarantine (connection, stream) where status = 'open';

create table if not exists ops.model_run (
    run_id          bigint not null references ops.run,
    node_id         text not null,
    resource_type   text not null,
    status          text not null,
    seconds         numeric(12, 3) not null,
    rows_affected   bigint,
    message         text,
    finished_at     timestamptz not null default clock_timestamp()
);

create table if not exists ops.gate_result (
    run_id          bigint not null references ops.run,
    stage           text not null check (stage in ('landing', 'marts')),
    suite           text not null,
    expectation     text not null,                  -- a readable id, unique in the suite
    severity        text not null check (severity in ('critical', 'warning')),
    passed          boolean not null,
    observed        text,
    evaluated_rows  bigint,
    failed_rows     bigint,
    sample_keys     jsonb not null default '[]',
    statement       text,                           -- the SQL or the rule as declared
    checked_at      timestamptz not null default clock_timestamp()
);
create index if not exists gate_result_run on ops.gate_result (run_id, stage);

-- Publications are append-only. The pointer is the newest one.
create table if not exists ops.publication (
    publication_id  bigint generated always as identity primary key,
    run_id          bigint not null unique references ops.run,
    as_of_date      date not null,
    published_at    timestamptz not null default clock_timestamp(),
    published_by    text not null default current_user,
    facts           jsonb not null default '{}'
);
create table if not exists ops.pointer (
    only_row        boolean primary key default true check (only_row),
    run_id          bigint not null references ops.run,
    moved_at        timestamptz not null default clock_timestamp()
);

-- How far the marts have consumed the landed batches: written in the build's last step.
create table if not exists ops.build_watermark (
    run_id          bigint primary key references ops.run,
    batch_id        bigint not null,
    is_full         boolean not null default false,
    built_at        timestamptz not null default clock_timestamp()
);
