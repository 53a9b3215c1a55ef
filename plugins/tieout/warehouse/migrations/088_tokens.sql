-- Refresh tokens that their vendor replaces at each use. `sealed` is a ciphertext: its key is made from the refresh token of
-- tieout.yml's secrets with which the chain began, and is not here. One row per chain: who connects anew begins another.
create table if not exists ops.oauth_token (
    connection      text not null,
    chain           text not null,
    sealed          bytea not null,
    generation      bigint not null,
    refreshed_at    timestamptz not null default clock_timestamp(),
    refresh_ends_at timestamptz,
    primary key (connection, chain)
);
comment on table ops.oauth_token is 'The newest refresh token of each connection whose vendor rotates them, sealed.';
comment on column ops.oauth_token.chain is 'Digest of the configured token with which the chain began.';
comment on column ops.oauth_token.refresh_ends_at is 'Without a run until then, a person has to connect anew.';
