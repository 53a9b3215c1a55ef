"""What people do about a break. Each act is one event; who may do it after what, the database decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from tieout.errors import RegisterError
from tieout.register import log
from tieout.register.book import Entry, Filter, find

if TYPE_CHECKING:
    import psycopg

    from tieout.spec import BreakPolicy

# What a person calls an act, and the event that it is.
ACTS = {
    "acknowledge": "acknowledged", "start": "started", "resolve": "resolved", "reopen": "reopened",
    "comment": "commented", "assign": "assigned", "waive": "waived", "approve": "waived", "refuse": "waiver_refused",
}  # fmt: skip


@dataclass(frozen=True)
class Act:
    """One act on one break. `seen`: its newest event when the actor looked; None: whatever happened since.

    `allowance`: how far the amount may move, in the break's currency, before a waiver ends.
    """

    word: str
    by: str
    account: str
    comment: str | None = None
    reason: str | None = None
    owner: str | None = None
    due_date: date | None = None
    allowance: Decimal = Decimal(0)
    seen: int | None = None


@dataclass(frozen=True)
class Done:
    """What was recorded. `kind` waiver_requested: a second person has to approve."""

    event_id: int
    break_key: str
    kind: str


def carry_out(db: psycopg.Connection, entry: Entry, act: Act, policy: BreakPolicy) -> Done:
    """Record the act in the caller's transaction. RegisterError where the break's life does not know it."""
    import psycopg

    if act.word not in ACTS:
        raise RegisterError(f"no act {act.word!r}", hint=", ".join(ACTS))
    kind = ACTS[act.word]
    facts = {"comment": act.comment, "reason": act.reason, "owner": act.owner, "due_date": act.due_date}
    if act.word == "comment" and not (act.comment or "").strip():
        raise RegisterError("a comment says something", hint="--comment TEXT")
    if act.word == "assign" and not (act.owner or act.due_date):
        raise RegisterError("nothing to assign", hint="an owner, a due date, or both")
    if act.word in ("approve", "refuse") and entry.request_id is None:
        raise RegisterError(f"no waiver is asked for break {entry.break_key}", hint="tieout breaks list --waiting")
    if act.word == "waive":
        if entry.request_id is not None:
            raise RegisterError(f"{entry.requested_by} asked for this waiver already",
                                hint=f"tieout breaks approve {entry.break_key[:12]}, or refuse")
        kind = "waived" if _alone(entry, policy) else "waiver_requested"
        facts |= {"allowance": act.allowance, "waiver_limit": policy.waiver_limit}
    seen = entry.event_id if act.word in ("approve", "waive") else act.seen  # what was weighed is what is recorded
    try:
        with db.transaction():
            made = log.record(
                db, kind, entry.break_key, act.by, act.account, expected=seen if act.seen is None else act.seen,
                hop=entry.hop, reason_code=entry.reason_code, legal_entity_id=entry.legal_entity_id,
                document=entry.document, currency_code=entry.currency_code, amount=entry.amount,
                group_amount=entry.group_amount, **facts)
    except psycopg.errors.RaiseException as error:
        raise log.refusal(error) from None
    return Done(made, entry.break_key, kind)


def _alone(entry: Entry, policy: BreakPolicy) -> bool:
    """Whether one person may waive it. What has no amount in the group's currency is over any limit."""
    return entry.group_amount is not None and abs(entry.group_amount) <= policy.waiver_limit


def waiting(db: psycopg.Connection) -> list[Entry]:
    """The breaks for which a waiver is asked, the largest first."""
    return find(db, Filter(waiting=True))
