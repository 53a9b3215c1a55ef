-- A changed deal or order of Salesforce has to find its lines. Its lines are not replaced with their parent, so landing makes
-- no such index. Raw tables are made after the migrations: on a fresh warehouse this does its work at the second start.
do $$
declare
    line record;
begin
    for line in
        select table_name, column_name
        from information_schema.columns
        where
            table_schema = 'raw'
            and (table_name, column_name) in (
                ('salesforce__opportunitylineitem', 'opportunityid'), ('salesforce__orderitem', 'orderid')
            )
    loop
        execute format(
            'create index if not exists %I on raw.%I (_connection, %I) where _superseded_batch is null',
            line.table_name || '_parent', line.table_name, line.column_name);
    end loop;
end
$$;
