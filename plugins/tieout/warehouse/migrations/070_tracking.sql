-- Where a vendor keeps track of changes: what to ask it with next, kept in the transaction of the batch that it ends.
alter table ops.load add column if not exists resume text;
