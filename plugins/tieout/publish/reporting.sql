-- Tieout's own words in schema reporting, owned by tieout_publisher. Run by views.refresh() when this text changes.

-- The run whose versions this session reads: the pointer's, or the one asked for by as_of(). Only published runs are ever
-- returned, whatever a session sets: an unpublished candidate cannot be read. NULL (no rows) before the first publication.
create or replace function reporting.published_run() returns bigint
    language plpgsql stable parallel safe security definer set search_path = pg_catalog as $$
declare
    asked text := current_setting('tieout.as_of_run', true);
    published bigint;
begin
    if asked is null or asked = '' then
        select p.run_id into published from ops.pointer p;
        return published;
    end if;
    if asked ~ '^[0-9]{1,18}$' then
        select p.run_id into published from ops.publication p where p.run_id = asked::bigint and p.pruned_at is null;
    end if;
    if published is null then
        raise exception 'run % was never published, or is no longer kept', asked
            using hint = 'see reporting.publication; select reporting.as_of_now() returns to the newest';
    end if;
    return published;
end $$;

-- select reporting.as_of(42): this session reads publication 42 until as_of_now(). Returns the run.
create or replace function reporting.as_of(run bigint) returns bigint
    language plpgsql volatile security definer set search_path = pg_catalog as $$
begin
    if not exists (select from ops.publication p where p.run_id = run) then
        raise exception 'run % was never published', coalesce(run::text, 'NULL')
            using hint = 'see reporting.publication for the runs that were';
    elsif exists (select from ops.publication p where p.run_id = run and p.pruned_at is not null) then
        raise exception 'the publication of run % is no longer kept: retention let its versions go', run
            using hint = 'see reporting.publication for those that are kept';
    end if;
    perform set_config('tieout.as_of_run', run::text, false);
    return run;
end $$;

-- select reporting.as_of(date '2026-03-31'): the newest publication whose as-of date is not after that day.
create or replace function reporting.as_of(day date) returns bigint
    language plpgsql volatile security definer set search_path = pg_catalog as $$
declare
    found_run bigint;
begin
    select p.run_id into found_run from ops.publication p
     where p.as_of_date <= day order by p.as_of_date desc, p.publication_id desc limit 1;
    if found_run is null then
        raise exception 'nothing was published as of %', coalesce(day::text, 'NULL')
            using hint = 'see reporting.publication for the first as-of date';
    end if;
    return reporting.as_of(found_run);  -- refused where it is no longer kept: an older one is not what was published then
end $$;

-- So that a quoted value works too: as_of('42'), as_of('2026-03-31').
create or replace function reporting.as_of(run_or_day text) returns bigint
    language plpgsql volatile set search_path = pg_catalog as $$
begin
    if run_or_day ~ '^\s*[0-9]{1,18}\s*$' then
        return reporting.as_of(run_or_day::bigint);
    elsif pg_input_is_valid(run_or_day, 'date') then
        return reporting.as_of(run_or_day::date);
    end if;
    raise exception '% is neither a run nor a date', quote_nullable(run_or_day)
        using hint = 'for example select reporting.as_of(42) or select reporting.as_of(date ''2026-03-31'')';
end $$;

-- Back to the newest publication.
create or replace function reporting.as_of_now() returns bigint
    language plpgsql volatile security definer set search_path = pg_catalog as $$
declare
    newest bigint;
begin
    perform set_config('tieout.as_of_run', '', false);
    select p.run_id into newest from ops.pointer p;
    return newest;
end $$;

revoke all on function reporting.published_run(), reporting.as_of(bigint), reporting.as_of(date), reporting.as_of(text),
    reporting.as_of_now() from public;
grant execute on function reporting.published_run(), reporting.as_of(bigint), reporting.as_of(date), reporting.as_of(text),
    reporting.as_of_now() to bi_reader;

drop view if exists reporting.gate_result, reporting.load, reporting.break_event, reporting.publication;
create view reporting.publication as
select p.run_id, p.publication_id, p.run_id = x.run_id as is_current, p.as_of_date, p.published_at
  from ops.publication p left join ops.pointer x on true
 where p.pruned_at is null;
comment on view reporting.publication is 'Every publication that is kept; its run_id is what reporting.as_of() takes';
comment on column reporting.publication.as_of_date is 'The business date that the figures stand for';

-- Loads that the run consumed: batches after the previous publication's watermark, up to its own.
create view reporting.load as
select l.run_id, l.connection, l.system, l.stream, l.mode, l.received, l.landed, l.unchanged, l.replayed, l.quarantined, l.deleted,
       l.requests, round(extract(epoch from l.finished_at - l.started_at)::numeric, 3) as seconds, l.batch_id,
       l.window_start, l.window_end, l.finished_at
  from ops.load l
 where l.state = 'committed'
   and l.batch_id <= (select max(w.batch_id) from ops.build_watermark w where w.run_id <= (select reporting.published_run()))
   and l.batch_id > coalesce((
        select max(w.batch_id) from ops.build_watermark w
         where w.run_id <= (select max(p.run_id) from ops.publication p
                             where p.run_id < (select reporting.published_run()))), -1);
comment on view reporting.load is 'What was landed for the run that this session reads, one row per load';

-- Gates of the run that this session reads, and of the landing runs that it consumed (of several, the newest result): no
-- statement and no keys of rows, which belong to engineers.
create view reporting.gate_result as
select distinct on (g.stage, g.suite, g.expectation)
       g.stage, g.suite, g.expectation, g.severity, g.observed, g.evaluated_rows, g.failed_rows, g.passed, g.checked_at
  from ops.gate_result g
 where g.run_id = (select reporting.published_run())
    or (g.stage = 'landing' and g.run_id in (select l.run_id from reporting.load l))
 order by g.stage, g.suite, g.expectation, g.run_id desc;
comment on view reporting.gate_result is 'What was checked before the run that this session reads was published';

-- The life of every break up to the publication that this session reads: those that are cleared, too.
create view reporting.break_event as
select e.event_id, e.break_key, e.run_id, e.kind, e.from_status, e.to_status, e.actor, e.comment, e.reason, e.owner, e.due_date,
       e.hop, e.reason_code, e.legal_entity_id, e.document, e.currency_code, e.amount, e.group_amount, e.waived_amount,
       e.allowance, e.at at time zone 'UTC' as at
  from ops.break_event e
 where e.run_id <= (select reporting.published_run());
comment on view reporting.break_event is 'What publications and people did about breaks, in order; times in UTC';

-- Default privileges say the same where bootstrap ran.
grant select on reporting.publication, reporting.load, reporting.gate_result, reporting.break_event to bi_reader;
