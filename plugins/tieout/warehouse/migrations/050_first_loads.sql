-- The first load of a table: building its indexes once, after the rows, costs a fifth of keeping them up row by row.

-- What a load in flight has taken off. Written and read by the two functions below only; empty outside of a transaction.
create table if not exists ops.suspended_index (
    table_name  text not null,
    definition  text not null
);

-- Takes the indexes off an empty raw table until `resume_indexes`, in the caller's transaction: a rollback brings them
-- back. False, and nothing done, where the table holds rows or somebody else is using it: nobody is made to wait.
create or replace function ops.suspend_indexes(raw_table text) returns boolean
    language plpgsql security definer set search_path = pg_catalog
    as $$
declare
    held record;
    is_used boolean;
begin
    if not exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname = 'raw' and c.relname = raw_table and c.relkind = 'r') then
        return false;
    end if;
    begin
        execute format('lock table raw.%I in access exclusive mode nowait', raw_table);
    exception when lock_not_available then
        return false;
    end;
    execute format('select exists (select 1 from raw.%I)', raw_table) into is_used;
    if is_used then
        return false;
    end if;
    for held in select i.indexrelid::regclass as name, pg_get_indexdef(i.indexrelid) as definition
                  from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'raw' and c.relname = raw_table loop
        insert into ops.suspended_index values (raw_table, held.definition);
        execute format('drop index %s', held.name);
    end loop;
    return true;
end $$;

-- Builds them again. Raises unique_violation where a key came twice.
create or replace function ops.resume_indexes(raw_table text) returns void
    language plpgsql security definer set search_path = pg_catalog
    as $$
declare
    held record;
begin
    for held in select s.definition from ops.suspended_index s where s.table_name = raw_table loop
        execute held.definition;
    end loop;
    delete from ops.suspended_index s where s.table_name = raw_table;
end $$;

revoke all on function ops.suspend_indexes(text), ops.resume_indexes(text) from public;
grant execute on function ops.suspend_indexes(text), ops.resume_indexes(text) to tieout_loader;

-- A sample of 9,000 rows serves joins on keys as well as one of 30,000, and costs a third.
alter function ops.analyze_raw(text) set default_statistics_target = 30;
