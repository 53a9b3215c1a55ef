-- The register of breaks: what publications and people did about each break. An append-only log, each row of which holds the
-- hash of the row before it. ops.record_break_event() is the only way to write; nothing here refers to other tables, so that
-- the log outlives them.
create table if not exists ops.break_event (
    event_id      bigint primary key,               -- 1, 2, 3, …: without a gap
    break_key     text not null,
    at            timestamptz not null,
    run_id        bigint not null,                  -- the publication that readers saw, or that the event came with
    kind          text not null,
    from_status   text not null,                    -- 'new' before the first event
    to_status     text not null check (to_status in ('open', 'acknowledged', 'in_progress', 'resolved', 'waived', 'cleared')),
    actor         text not null check (btrim(actor) <> ''),  -- a person's name, or 'publication'
    account       text not null,                    -- who the operating system, or Airflow, says it was
    comment       text,
    reason        text,                             -- why, where the kind asks for it
    owner         text,                             -- in force after the event where somebody was named; else by rule
    due_date      date,                             -- likewise
    request_id    bigint,                           -- the request for a waiver that waits after the event
    waived_amount numeric(28, 4),                   -- what is, or is asked to be, waived, in the break's currency …
    allowance     numeric(28, 4),                   -- … and the change of it that the waiver bears
    waiver_limit  numeric(28, 4),                   -- of the policy: up to here nobody else is asked; group currency
    hop           text,                             -- the break as it was published then
    reason_code   text,
    legal_entity_id text,
    document      text,
    currency_code text,
    amount        numeric(28, 4),
    group_amount  numeric(28, 4),
    previous_hash text not null,                    -- of the event before; empty for the first
    hash          text not null
);
create index if not exists break_event_break on ops.break_event (break_key, event_id desc);
create index if not exists break_event_said on ops.break_event (break_key, event_id desc)
    where comment is not null or reason is not null;
comment on table ops.break_event is 'What publications and people did about breaks: append-only, chained by hashes.';

-- SHA-256 over a JSON array of the fields as text, in this order, UTF-8. `tieout breaks audit` computes the same in Python.
create or replace function ops.break_event_hash(e ops.break_event) returns text
    language sql stable set search_path = pg_catalog as $$
    select encode(sha256(convert_to(array_to_json(array[
        e.previous_hash, e.event_id::text, e.break_key, to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        e.run_id::text, e.kind, e.from_status, e.to_status, e.actor, e.account, e.comment, e.reason, e.owner,
        to_char(e.due_date, 'YYYY-MM-DD'), e.request_id::text, e.waived_amount::text, e.allowance::text,
        e.waiver_limit::text, e.hop, e.reason_code, e.legal_entity_id, e.document, e.currency_code, e.amount::text,
        e.group_amount::text])::text, 'UTF8')), 'hex')
$$;

create or replace function ops.refuse_break_event_change() returns trigger
    language plpgsql set search_path = pg_catalog as $$
begin
    if not exists (select from pg_roles r where r.rolname = current_user and r.rolsuper) then
        raise exception 'ops.break_event is append-only: % is refused', lower(tg_op)
            using errcode = 'insufficient_privilege', hint = 'record another event; what was said stays said';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end $$;
create or replace trigger break_event_rows before update or delete on ops.break_event
    for each row execute function ops.refuse_break_event_change();
create or replace trigger break_event_table before truncate on ops.break_event
    for each statement execute function ops.refuse_break_event_change();

-- Record one event; returns its id. Writers take turns. The state of a break is its newest event: what an event does not
-- change is carried on. Refuses what the life of a break does not know, a waiver over the limit without a second person, and
-- an event about a break that changed after `expected` (its event that the caller saw).
create or replace function ops.record_break_event(
    kind text, break_key text, actor text, account text, for_run bigint default null, expected bigint default null,
    comment text default null, reason text default null, owner text default null, due_date date default null,
    allowance numeric default null, waiver_limit numeric default null, hop text default null,
    reason_code text default null, legal_entity_id text default null, document text default null,
    currency_code text default null, amount numeric default null, group_amount numeric default null
) returns bigint
    language plpgsql volatile security definer set search_path = pg_catalog as $$
declare
    automatic constant text[] := '{opened,cleared,returned,exceeded}';
    living constant text[] := '{open,acknowledged,in_progress,resolved}';
    allowed text[];
    newest ops.break_event;
    last ops.break_event;
    made ops.break_event;
    asked ops.break_event;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'events are recorded in transactions that read what is committed';
    end if;
    perform pg_advisory_xact_lock(7160, 80);
    select * into newest from ops.break_event e order by e.event_id desc limit 1;
    select * into last from ops.break_event e
     where e.break_key = record_break_event.break_key order by e.event_id desc limit 1;

    made.event_id := coalesce(newest.event_id, 0) + 1;
    made.break_key := record_break_event.break_key;
    made.at := clock_timestamp();
    made.run_id := for_run;
    if (kind = any (automatic)) <> (for_run is not null) then
        raise exception 'an event of kind % % with a publication', kind,
            case when for_run is null then 'comes' else 'does not come' end;
    end if;
    if for_run is null then
        select p.run_id into made.run_id from ops.pointer p;
    end if;
    if made.run_id is null or made.run_id < newest.run_id then
        raise exception 'an event of run % cannot follow one of run %', coalesce(made.run_id::text, '(none)'),
            coalesce(newest.run_id::text, '(none)') using hint = 'publish first';
    end if;
    if expected is not null and expected is distinct from coalesce(last.event_id, 0) then
        raise exception 'break % changed: % by % at %', made.break_key, last.kind, last.actor,
            to_char(last.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') using hint = 'look at it again';
    end if;

    -- Which states an event may follow, and which it leads to.
    made.from_status := coalesce(last.to_status, case when kind = 'opened' then 'new' else 'open' end);
    select w.after, coalesce(w.leads_to, made.from_status) into allowed, made.to_status
      from (values
        ('opened', array['new'], 'open'),
        ('cleared', living || array['waived'], 'cleared'),
        ('returned', array['cleared'], 'open'),
        ('exceeded', array['waived'], 'open'),
        ('acknowledged', array['open'], 'acknowledged'),
        ('started', array['open', 'acknowledged'], 'in_progress'),
        ('resolved', array['open', 'acknowledged', 'in_progress'], 'resolved'),
        ('reopened', array['acknowledged', 'in_progress', 'resolved', 'waived'], 'open'),
        ('waiver_requested', living, null),
        ('waived', living, 'waived'),
        ('waiver_refused', living, null),
        ('commented', living || array['waived', 'cleared'], null),
        ('assigned', living || array['waived'], null)
      ) as w (kind, after, leads_to) where w.kind = record_break_event.kind;
    if allowed is null then
        raise exception 'there is no event of kind %', kind;
    elsif made.from_status <> all (allowed) then
        raise exception 'break % is %: % does not follow', made.break_key, replace(made.from_status, '_', ' '),
            replace(kind, '_', ' ') using hint = 'it follows ' || array_to_string(allowed, ', ');
    end if;
    if kind in ('resolved', 'reopened', 'waiver_requested', 'waiver_refused')
        or (kind = 'waived' and last.request_id is null) then
        if coalesce(btrim(reason), '') = '' then
            raise exception '% needs a reason', replace(kind, '_', ' ') using hint = 'say why';
        end if;
    end if;

    made.kind := record_break_event.kind;
    made.actor := btrim(record_break_event.actor);
    made.account := record_break_event.account;
    made.comment := nullif(btrim(record_break_event.comment), '');
    made.reason := nullif(btrim(record_break_event.reason), '');
    made.owner := coalesce(nullif(btrim(record_break_event.owner), ''), last.owner);
    made.due_date := coalesce(record_break_event.due_date, last.due_date);
    made.hop := coalesce(record_break_event.hop, last.hop);
    made.reason_code := coalesce(record_break_event.reason_code, last.reason_code);
    made.legal_entity_id := coalesce(record_break_event.legal_entity_id, last.legal_entity_id);
    made.document := coalesce(record_break_event.document, last.document);
    made.currency_code := coalesce(record_break_event.currency_code, last.currency_code);
    made.amount := coalesce(record_break_event.amount, last.amount);
    made.group_amount := case when record_break_event.amount is null then last.group_amount
                              else record_break_event.group_amount end;

    -- Waivers. A request waits until it is answered, or the break takes another way.
    if kind in ('commented', 'assigned', 'acknowledged', 'started') then
        made.request_id := last.request_id;
    end if;
    if made.request_id is not null or (made.to_status = 'waived' and kind <> 'waived') then
        made.waived_amount := last.waived_amount;
        made.allowance := last.allowance;
        made.waiver_limit := last.waiver_limit;
    end if;
    if kind = 'waiver_refused' and last.request_id is null then
        raise exception 'no waiver is asked for break %', made.break_key using hint = 'tieout breaks list --waiting';
    elsif kind = 'waiver_requested' or (kind = 'waived' and last.request_id is null) then
        if made.amount is null or coalesce(record_break_event.allowance, -1) < 0
            or coalesce(record_break_event.waiver_limit, -1) < 0 then
            raise exception 'a waiver says amount, allowance and limit, none below zero';
        elsif kind = 'waived' and (made.group_amount is null or abs(made.group_amount) > record_break_event.waiver_limit) then
            raise exception 'break % is over the limit of %: a second person approves it', made.break_key,
                record_break_event.waiver_limit using hint = 'ask for it: tieout breaks waive';
        end if;
        made.request_id := case when kind = 'waiver_requested' then made.event_id end;
        made.waived_amount := made.amount;
        made.allowance := record_break_event.allowance;
        made.waiver_limit := record_break_event.waiver_limit;
    elsif kind = 'waived' then
        select * into asked from ops.break_event e where e.event_id = last.request_id;
        if lower(asked.actor) = lower(made.actor) then
            raise exception 'the waiver of break % was asked for by %: another person approves it', made.break_key,
                asked.actor using hint = 'four eyes';
        elsif asked.currency_code is distinct from made.currency_code
            or abs(made.amount - asked.amount) > asked.allowance then
            raise exception 'break % was % % when the waiver was asked for, and is % % now', made.break_key, asked.amount,
                asked.currency_code, made.amount, made.currency_code using hint = 'refuse it, and ask again';
        end if;
        made.waived_amount := asked.amount;
        made.allowance := asked.allowance;
        made.waiver_limit := asked.waiver_limit;
        made.reason := coalesce(made.reason, asked.reason);
    end if;

    made.previous_hash := coalesce(newest.hash, '');
    made.hash := ops.break_event_hash(made);
    insert into ops.break_event select made.*;
    return made.event_id;
end $$;

revoke all on function ops.break_event_hash(ops.break_event), ops.refuse_break_event_change(),
    ops.record_break_event(text, text, text, text, bigint, bigint, text, text, text, date, numeric, numeric, text, text,
        text, text, text, numeric, numeric) from public;
