-- What a role sees in schema reporting, as tieout.yml says (`readers`). Written by every migration.
create table if not exists ops.reader (
    role_name      text primary key,
    is_cleared     boolean not null,
    legal_entities text[]           -- null: all of them
);
comment on table ops.reader is 'What roles see in schema reporting: personal data, and rows of which legal entities.';
