-- Files that were dealt with, remembered by name and content in the transaction of the batch that landed them. They outlive
-- the ledger's rows: a file that is forgotten would be landed again.
create table if not exists ops.load_file (
    batch_id   bigint not null,
    connection text not null,
    stream     text not null,
    name       text not null,   -- below the connection's url
    version    text not null,   -- size, stamp and tag as listed: tells without reading that nothing changed
    sha256     text not null,   -- of the file as delivered; empty where it was never read
    sequence   text not null,   -- what orders deliveries
    state      text not null check (state in ('landed', 'repeated', 'superseded')),
    rows       bigint not null,
    bytes      bigint not null,
    noted_at   timestamptz not null default clock_timestamp()
);
create index if not exists load_file_stream on ops.load_file (connection, stream);
comment on table ops.load_file is 'Files that were landed, came again, or were overtaken by a younger complete set.';
-- The partitions that the file replaced: an older word on one of them, when it comes late, replaces it no more.
alter table ops.load_file add column if not exists partitions text[] not null default '{}';
