-- Who may do what (least privilege). Rights on raw tables are given where they are created (landing/ddl.py); rights on
-- marts and reporting are default privileges of their makers (warehouse/bootstrap.py).
grant usage on schema ops to tieout_loader, tieout_transformer, tieout_publisher;
grant usage on schema raw to tieout_loader, tieout_transformer;
grant usage, create on schema staging, intermediate, marts to tieout_transformer;
grant usage on schema marts to tieout_publisher;
grant usage, create on schema reporting to tieout_publisher;
grant usage on schema reporting to bi_reader;

grant select, insert, update on ops.run to tieout_loader, tieout_transformer, tieout_publisher;

grant select, insert, update on ops.load, ops.quarantine to tieout_loader;
grant select on ops.load, ops.quarantine to tieout_transformer;
grant select on ops.load to tieout_publisher;
-- A quarantined record may hold personal data: who publishes sees that it is there, not what it says.
grant select (quarantine_id, batch_id, connection, stream, field, reason_code, status, first_seen_at, resolved_at)
    on ops.quarantine to tieout_publisher;

-- Decisions about refused values are append-only by right.
grant select, insert on ops.quarantine_mapping, ops.quarantine_mapping_use to tieout_loader;
grant select on ops.drift to tieout_loader, tieout_transformer, tieout_publisher;

grant select, insert on ops.model_run to tieout_transformer;
grant select, insert, update on ops.build_watermark to tieout_transformer;
grant select on ops.model_run, ops.build_watermark to tieout_publisher;
grant select on ops.build_watermark to tieout_loader;

-- Checks of landed and built tables run as transformer; a repeated check replaces its own results.
grant select, insert, delete on ops.gate_result to tieout_transformer, tieout_publisher;

grant select, insert on ops.publication to tieout_publisher;
grant select, insert, update on ops.pointer to tieout_publisher;
grant select on ops.publication, ops.pointer to tieout_transformer, tieout_loader;
grant select on ops.gate_result, ops.model_run to tieout_loader;

-- Backfills are the loader's; so is what pruned rows of the ledger had proved.
grant select, insert, update on ops.backfill, ops.backfill_window to tieout_loader;
grant select, insert, update on ops.pruned_load to tieout_loader;
-- Every step of a run is recorded by the loader, whichever room did the work; the gate reads what was promised.
grant select, insert, update on ops.step to tieout_loader;
grant select on ops.step_now to tieout_loader, tieout_transformer, tieout_publisher;
grant select, insert, update, delete on ops.promise to tieout_loader;
grant select on ops.promise to tieout_transformer;

-- Decisions of stewards are append-only by right; they are the loader's, matching reads them.
grant select, insert on ops.identity_decision to tieout_loader;
grant select on ops.identity_decision, ops.identity_decision_now to tieout_loader, tieout_transformer, tieout_publisher;
grant select, insert on ops.document_crossref to tieout_loader;
grant select on ops.document_crossref, ops.document_crossref_now to tieout_loader, tieout_transformer, tieout_publisher;

-- Files are noted once, and never taken back.
grant select, insert on ops.load_file to tieout_loader;
grant select on ops.load_file to tieout_transformer, tieout_publisher;
-- Where a program left off is noted, and never rewritten.
grant select, insert on ops.source_state to tieout_loader;
-- Who sees what is declared by the owner alone; the views of reporting ask.
grant select on ops.reader to tieout_publisher;
-- Nonces are spent by the receiver of events, and let go by it.
grant select, insert, delete on ops.webhook_nonce to tieout_loader;
-- The register of breaks is read, and written through one function, by who publishes: nobody holds a right to write the table.
grant select on ops.break_event to tieout_publisher;
grant execute on function ops.record_break_event(text, text, text, text, bigint, bigint, text, text, text, date, numeric,
    numeric, text, text, text, text, text, numeric, numeric) to tieout_publisher;
-- Landing hides erased persons, and follows their records; the audit of breaks reads where an erasure wrote the chain anew.
grant select, insert on ops.erasure_suppressed to tieout_loader;
grant select on ops.erasure to tieout_loader, tieout_publisher;
-- The newest refresh token of a connection is kept by who lands it, and read by nobody else.
grant select, insert, update on ops.oauth_token to tieout_loader;
