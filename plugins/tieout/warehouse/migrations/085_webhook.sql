-- Nonces of signed events: an event counts once. Older ones than the window of time stamps are let go.
create table if not exists ops.webhook_nonce (
    connection  text not null,
    nonce       text not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (connection, nonce)
);
comment on table ops.webhook_nonce is 'Events that the webhook received, for two days: each is taken once.';
