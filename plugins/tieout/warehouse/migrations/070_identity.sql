-- Who is who: what stewards decided, and what matching last knew.

-- Decisions about pairs of records. Append-only: the newest about a pair counts; REVOKED takes it back. That a payment pays an
-- invoice is said with how much of it, and in its currency.
create table if not exists ops.identity_decision (
    decision_id   bigint generated always as identity primary key,
    entity        text not null default 'customer' check (entity in ('customer', 'product', 'deal_order', 'order_invoice', 'invoice_cash')),
    verdict       text not null check (verdict in ('SAME', 'NOT SAME', 'REVOKED')),
    connection_a  text not null,
    record_id_a   text not null,
    connection_b  text not null,
    record_id_b   text not null,
    decided_by    text not null check (decided_by <> ''),
    decided_at    timestamptz not null default clock_timestamp(),
    reason        text not null check (reason <> ''),
    amount        numeric(28, 4),
    currency_code text,
    check ((connection_a, record_id_a) < (connection_b, record_id_b))
);
alter table ops.identity_decision add column if not exists amount numeric(28, 4);
alter table ops.identity_decision add column if not exists currency_code text;
-- Documents of a hop are decided like records: SAME, they belong together.
do $$
begin
    if not exists (
        select from pg_constraint
         where conrelid = 'ops.identity_decision'::regclass and conname = 'identity_decision_entity_check'
           and pg_get_constraintdef(oid) like '%invoice_cash%') then
        alter table ops.identity_decision drop constraint if exists identity_decision_entity_check;
        alter table ops.identity_decision add constraint identity_decision_entity_check
            check (entity in ('customer', 'product', 'deal_order', 'order_invoice', 'invoice_cash'));
    end if;
    if not exists (
        select from pg_constraint
         where conrelid = 'ops.identity_decision'::regclass and conname = 'identity_decision_amount_check') then
        alter table ops.identity_decision add constraint identity_decision_amount_check check (
            case when entity = 'invoice_cash' and verdict = 'SAME' then amount > 0 and amount is not null and currency_code is not null
                 else amount is null and currency_code is null end);
    end if;
end $$;
create index if not exists identity_decision_pair
    on ops.identity_decision (entity, connection_a, record_id_a, connection_b, record_id_b, decision_id);

-- Decisions that count.
create or replace view ops.identity_decision_now as
select d.decision_id, d.entity, d.verdict, d.connection_a, d.record_id_a, d.connection_b, d.record_id_b, d.decided_by,
       d.decided_at, d.reason, d.amount, d.currency_code
  from ops.identity_decision d
 where d.verdict <> 'REVOKED'
   and not exists (
        select 1 from ops.identity_decision later
         where later.entity = d.entity and later.connection_a = d.connection_a and later.record_id_a = d.record_id_a
           and later.connection_b = d.connection_b and later.record_id_b = d.record_id_b
           and later.decision_id > d.decision_id);

-- Written by matching inside a build; dbt reads them as sources.
create table if not exists intermediate.int_customers__clustered (
    connection    text not null,
    customer_id   text not null,
    customer_key  text not null,          -- golden customer
    method        text not null,          -- what joins the record to its cluster; own: it is alone
    score         numeric(9, 3),          -- of its best pair in the cluster
    content_hash  text not null,          -- of the record as it was compared
    feature_hash  bigint not null,        -- of everything a comparison of it depends on
    since_run     bigint not null,        -- since when it has this golden customer
    primary key (connection, customer_id)
);
create index if not exists int_customers__clustered_key on intermediate.int_customers__clustered (customer_key);

create table if not exists intermediate.int_customers__golden (
    customer_key        text primary key,
    born_run            bigint not null,
    anchor_connection   text not null,    -- the record that gave the id its name; it may be gone
    anchor_customer_id  text not null,
    anchor_role         text not null
);

-- Pairs that were worth a look; the others scored below the review zone.
create table if not exists intermediate.int_customers__compared (
    pair_key      bigint primary key,
    connection_a  text not null,
    customer_id_a text not null,
    connection_b  text not null,
    customer_id_b text not null,
    score         numeric(9, 3) not null,
    margin        numeric(9, 3) not null, -- to the next best of either side
    veto          text not null,          -- tax_id, affiliate, kind, relative or empty
    zone          text not null,          -- auto, review, no; or same, not_same: a steward decided
    method        text not null,
    run_id        bigint not null
);
create index if not exists int_customers__compared_a on intermediate.int_customers__compared (connection_a, customer_id_a);
create index if not exists int_customers__compared_b on intermediate.int_customers__compared (connection_b, customer_id_b);

-- One row per pair and attribute about which both records say something.
create table if not exists intermediate.int_customers__evidenced (
    pair_key      bigint not null,
    attribute     text not null,
    level         text not null,
    weight        numeric(9, 3) not null,
    primary key (pair_key, attribute)
);

create table if not exists intermediate.int_customers__affiliated (
    customer_key_a text not null,
    customer_key_b text not null,
    reason         text not null,         -- host: one host, another country; relative: one host, other names; parent
    primary key (customer_key_a, customer_key_b)
);

-- What became of golden ids: born, merged (into other_key), split (off other_key), retired.
create table if not exists intermediate.int_customers__events (
    run_id        bigint not null,
    customer_key  text not null,
    event         text not null,
    other_key     text,
    recorded_at   timestamptz not null default clock_timestamp()
);

-- What a scoring was made with: when it differs, everything is scored anew.
create table if not exists intermediate.int_customers__scored (
    only_row      boolean primary key default true check (only_row),
    run_id        bigint not null,
    digest        text not null,          -- of the weights, the units and the way of comparing
    decision_id   bigint not null,
    facts         jsonb not null
);

do $$
declare
    name text;
begin
    foreach name in array array['clustered', 'golden', 'compared', 'evidenced', 'affiliated', 'events', 'scored'] loop
        execute format(
            'grant select, insert, update, delete, truncate on intermediate.int_customers__%s to tieout_transformer', name);
        execute format('grant select on intermediate.int_customers__%s to tieout_loader', name);
    end loop;
end $$;
grant usage on schema intermediate to tieout_loader;

-- Products that another code, or none, would have kept apart; the same code needs no matching.
create table if not exists intermediate.int_products__clustered (
    connection    text not null,
    product_id    text not null,
    product_key   text not null,
    method        text not null,          -- gtin, text, decided, code
    primary key (connection, product_id)
);

create table if not exists intermediate.int_products__compared (
    connection_a  text not null,
    product_id_a  text not null,
    connection_b  text not null,
    product_id_b  text not null,
    method        text not null,          -- gtin, text, decided
    score         numeric(9, 3) not null, -- 0 to 100
    zone          text not null,          -- auto, review, same
    run_id        bigint not null
);

-- What products were matched from: when it is the same, nothing is compared again.
create table if not exists intermediate.int_products__scored (
    only_row      boolean primary key default true check (only_row),
    digest        text not null           -- of the records, the decisions and the way of comparing
);
grant select, insert, update, delete
    on intermediate.int_products__clustered, intermediate.int_products__compared, intermediate.int_products__scored
    to tieout_transformer;
grant select on intermediate.int_products__clustered, intermediate.int_products__compared to tieout_loader;
