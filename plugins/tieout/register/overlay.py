"""What readers see of the register: columns of `reporting.rec_break` that come from the log and not from the mart.

As of a publication: the log up to the last event that was recorded while readers saw it. So the newest publication
shows what was said a second ago, and an earlier one what was known when the next took its place.
"""

from __future__ import annotations

MART = "rec_break"

# (name, type, comment, expression); `b` is the version of the mart, `s` the newest event, `n` the newest with words.
# They come after the mart's own columns; one of the mart's with the same name gives way.
COLUMNS = (
    ("status", "text", "open, acknowledged, in_progress, resolved or waived", "coalesce(s.to_status, 'open')"),
    ("owner", "text", "Who looks after it: whoever was named, else by rule (seed rec_owner_rules)",
     "coalesce(s.owner, b.owner)"),
    ("comment", "text", "What people said last", "n.said"),
    ("changed_by", "text", "Who changed its state last; 'publication' where nobody did", "s.actor"),
    ("waiver_requested_by", "text", "Who asks for a waiver that a second person has to approve",
     "case when s.request_id is not null then r.actor end"),
    ("waived_amount", "numeric(28,4)", "What was waived, in the break's currency",
     "case when s.to_status = 'waived' then s.waived_amount end"),
    ("is_overdue", "boolean", "Not waived, and due before the publication's as-of date",
     "coalesce(coalesce(s.due_date, b.due_date) < (select p.as_of_date from ops.publication p"
     " where p.run_id = (select reporting.published_run())) and coalesce(s.to_status, 'open') <> 'waived', false)"),
    ("due_date", "date", "When its owner should be done: what was set, else by rule",
     "coalesce(s.due_date, b.due_date)"),
    ("changed_at", "timestamp without time zone", "When its state changed last, UTC", "(s.at at time zone 'UTC')"),
)  # fmt: skip

_SEEN = "e.run_id <= (select reporting.published_run())"
SOURCE = f"""
marts.rec_break b
left join (select distinct on (e.break_key) e.* from ops.break_event e where {_SEEN}
            order by e.break_key, e.event_id desc) s on s.break_key = b.break_key
left join (select distinct on (e.break_key) e.break_key, coalesce(e.comment, e.reason) as said from ops.break_event e
            where {_SEEN} and (e.comment is not null or e.reason is not null)
            order by e.break_key, e.event_id desc) n on n.break_key = b.break_key
left join ops.break_event r on r.event_id = s.request_id
"""
