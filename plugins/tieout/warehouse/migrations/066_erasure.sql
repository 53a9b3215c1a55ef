-- Erasures of persons: that they happened, and what keeps them erased. No table here holds personal data once its erasure is
-- finished; persons are known by keyed hashes of their ids.

create table if not exists ops.erasure (
    erasure_id      bigint generated always as identity primary key,
    records         jsonb not null,                 -- [{connection, hash}]: of the customer records that were the person
    requested_by    text not null check (btrim(requested_by) <> ''),
    account         text not null,                  -- who the operating system says it was
    reason          text not null check (btrim(reason) <> ''),
    state           text not null default 'running' check (state in ('running', 'finished')),
    error           text,                           -- why the last attempt ended before it was finished
    counts          jsonb not null default '{}',    -- {place: rows or files that were changed}
    register        jsonb,                          -- the chain of breaks, where it was written anew: {from_event, heads}
    started_at      timestamptz not null default clock_timestamp(),
    finished_at     timestamptz
);
comment on table ops.erasure is 'Erasures of persons: who asked, when, why, and how much was changed.';

-- What an unfinished erasure looks for, so that it can go on after a crash. Emptied when it is finished.
create table if not exists ops.erasure_work (
    erasure_id      bigint not null references ops.erasure,
    value           text not null,
    kind            text not null,                  -- true, place or hashed
    primary key (erasure_id, value, kind)
);

-- Statistics would keep values when the rows are gone.
alter table ops.erasure_work alter column value set statistics 0;

-- What landing hides. stream '*': ids of customers, the same in all streams; else links that lead to rows of that stream.
create table if not exists ops.erasure_suppressed (
    connection      text not null,
    stream          text not null,
    hash            text not null,                  -- HMAC-SHA256 of the id, with the connection's hash_key
    key_check       text not null,                  -- tells whether the key is still the one that this was made with
    marker          text not null,                  -- stands in place of the person's texts
    pseudonym       text not null,                  -- stands in place of the person's hashed id
    suppressed_at   timestamptz not null default clock_timestamp(),
    primary key (connection, stream, hash)
);
comment on table ops.erasure_suppressed is 'Erased persons by keyed hashes: what arrives about them is hidden.';
