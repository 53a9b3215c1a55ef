"""The log `ops.break_event`: written through one database function, verified here without it."""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieout import warehouse
from tieout.errors import RegisterError

if TYPE_CHECKING:
    import psycopg

PUBLICATION = "publication"  # the actor of what a publication finds by itself
# The fields that a hash covers, in their order, after the hash before; see ops.break_event_hash.
FIELDS = (
    "event_id", "break_key", "at", "run_id", "kind", "from_status", "to_status", "actor", "account", "comment",
    "reason", "owner", "due_date", "request_id", "waived_amount", "allowance", "waiver_limit", "hop", "reason_code",
    "legal_entity_id", "document", "currency_code", "amount", "group_amount",
)  # fmt: skip
BATCH_ROWS = 5_000


@dataclass(frozen=True)
class Verdict:
    """What an audit found. `broken`: the first row that is not as it was written, in words; None: none is.

    `hash`: that of the newest event, to be kept elsewhere. `shared`: waivers that were asked for and approved under two
    names from one account.
    """

    events: int
    hash: str
    broken: str | None
    shared: tuple[int, ...]


@contextmanager
def opened(doing: str = "breaks") -> Iterator[psycopg.Connection]:
    """A connection that may read and write the register; what it refuses is a RegisterError. Commits at the end."""
    import psycopg

    try:
        with warehouse.present(doing), warehouse.connect("publisher", application=f"tieout {doing}") as db:
            yield db
    except psycopg.errors.RaiseException as error:
        raise refusal(error) from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise RegisterError("nothing was published yet", hint="tieout run") from None


def refusal(error: psycopg.errors.RaiseException) -> RegisterError:
    """What the database function says, as ours."""
    return RegisterError(error.diag.message_primary or str(error), hint=error.diag.message_hint)


def record(db: psycopg.Connection, kind: str, break_key: str, actor: str, account: str, **facts: Any) -> int:
    """Record one event; its id. `facts`: further parameters of ops.record_break_event. Raises RaiseException."""
    words = {"kind": kind, "break_key": break_key, "actor": actor, "account": account, **facts}
    listed = ", ".join(f"{word} => %({word})s" for word in words)
    return db.execute(f"select ops.record_break_event({listed})", words).fetchone()[0]


def account() -> str:
    """The account that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        return "unknown"


def head(db: psycopg.Connection) -> tuple[int, str]:
    """Number and hash of the newest event; (0, '') where there is none."""
    row = db.execute("select event_id, hash from ops.break_event order by event_id desc limit 1").fetchone()
    return row or (0, "")


def hash_of(previous_hash: str, event: dict[str, Any]) -> str:
    """SHA-256 over a JSON array of the fields as text: what ops.break_event_hash computes."""
    texts = [previous_hash, *(_text(event[name]) for name in FIELDS)]
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def audit(db: psycopg.Connection, known: str | None = None) -> Verdict:
    """Read the whole log and prove that no event was changed, removed or put in between.

    The heads that publications noted must be in it; so must `known`, a hash that somebody kept: else the end of the log
    may have been cut off, or all of it written anew. Where the erasure of a person wrote it anew, `known` may be a head
    that the erasure noted.
    """
    noted = dict(db.execute(
        "select (facts -> 'register' ->> 'events')::bigint, facts -> 'register' ->> 'hash' from ops.publication"
        " where (facts -> 'register' ->> 'events')::bigint > 0 order by publication_id"))  # fmt: skip
    previous, count, broken, found, actors = "", 0, None, known is None or _was_erased_from(db, known), {}
    shared = []
    for event in _events(db):
        count += 1
        if event["request_id"] == event["event_id"]:
            actors[event["event_id"]] = event["account"]
        if event["kind"] == "waived" and (request := _request(event, actors)) is not None:
            shared.append(event["event_id"])
            del actors[request]
        broken = broken or _broken(event, count, previous, noted.pop(count, None))
        previous = event["hash"]
        found = found or previous == known
    if broken is None and noted:
        last = min(noted)
        broken = f"event {count + 1} is missing: a publication noted event {last}, and the log ends with {count}"
    if broken is None and not found:
        broken = f"no event has the hash {known}: the log is not the one that it was taken from, or was cut"
    return Verdict(count, previous, broken, tuple(shared))


def _was_erased_from(db: psycopg.Connection, known: str) -> bool:
    return db.execute("select exists (select from ops.erasure where register -> 'heads' ? %s)", (known,)).fetchone()[0]


def _broken(event: dict[str, Any], place: int, previous: str, noted: str | None) -> str | None:
    """What is wrong with one event, or None."""
    name = f"event {event['event_id']} ({event['kind']} of break {event['break_key']})"
    if event["event_id"] != place:
        return f"event {place} is missing: {name} stands in its place"
    if event["previous_hash"] != previous:
        return f"{name} does not follow the event before it: that one was changed, or its hash was"
    if hash_of(previous, event) != event["hash"]:
        return f"{name} is not as it was recorded: its hash is another"
    if noted is not None and noted != event["hash"]:
        return f"{name} is not the one that a publication noted: the log was written anew"
    return None


def _request(event: dict[str, Any], accounts: dict[int, str]) -> int | None:
    """The open request of the same break from the same account, if there is one. See `docs/break-register.md`."""
    asked = event["asked"]
    return asked if asked in accounts and accounts[asked] == event["account"] else None


def _events(db: psycopg.Connection) -> Iterator[dict[str, Any]]:
    """All events in order, with the request (`asked`) that waited when each was recorded."""
    from psycopg.rows import dict_row

    with db.cursor(name="audit", row_factory=dict_row) as cursor:
        cursor.itersize = BATCH_ROWS
        cursor.execute(
            f"select {', '.join(FIELDS)}, previous_hash, hash,"
            " lag(request_id) over (partition by break_key order by event_id) as asked"
            " from ops.break_event order by event_id")
        yield from cursor


def _text(value: Any) -> str | None:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # sessions are in UTC
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None else str(value)
