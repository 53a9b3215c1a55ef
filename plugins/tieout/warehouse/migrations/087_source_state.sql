-- Where a program that brings all streams of a connection in one run (a Singer tap, a dlt source) left off. Written in the
-- transaction of the last batch of that run: until then the next run begins where this one began.
create table if not exists ops.source_state (
    state_id   bigint generated always as identity primary key,
    connection text not null,
    batch_id   bigint not null,
    value      text,            -- the program's own words, as it wrote them
    about      jsonb not null,  -- the streams that it goes for, and their versions
    noted_at   timestamptz not null default clock_timestamp()
);
create index if not exists source_state_connection on ops.source_state (connection, state_id);
comment on table ops.source_state is 'Where a tap or a dlt source left off, with the batch that it goes with.';
