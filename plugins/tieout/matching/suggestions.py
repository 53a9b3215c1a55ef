"""What may belong together, kept for readers: `marts.rec_suggestion`, versioned and published like every mart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieout.matching import document_review
from tieout.matching.document_review import Open, Proposal

if TYPE_CHECKING:
    import psycopg

OPEN_RUN = 9223372036854775807
COLUMNS = (
    "member_key", "suggestion_key", "hop", "side", "pass_name", "is_sure", "confidence", "document_key", "connection",
    "document_type", "document_id", "document_number", "document_date", "legal_entity_id", "customer_key",
    "currency_code", "open_amount", "difference_amount", "reason_code",
)  # fmt: skip


@dataclass(frozen=True)
class Suggested:
    """What stands in the mart now, and how many of its rows a run recorded or closed."""

    suggestions: int
    sure: int
    documents: int
    recorded: int
    closed: int


def refresh(books: psycopg.Connection, run_id: int) -> Suggested:
    """Look at what is open, and bring the mart up to date as of this run, in the caller's transaction. Repeatable.

    Needs the transformer, and the marts that the run built.
    """
    found = document_review.propose(books)
    books.execute("create temporary table suggested (like marts.rec_suggestion) on commit drop")
    with books.cursor().copy(f"copy suggested ({', '.join(COLUMNS)}) from stdin") as out:
        for row in _rows(found):
            out.write_row(row)
    return Suggested(
        len(found), sum(each.is_sure for each in found), sum(len(each.left) + len(each.right) for each in found),
        *_version(books, run_id),
    )  # fmt: skip


def _rows(found: Sequence[Proposal]) -> Iterator[tuple[object, ...]]:
    for each in found:
        sides: tuple[tuple[str, tuple[Open, ...]], ...] = (("left", each.left), ("right", each.right))
        key = _digest(each.hop, *sorted(f"{side} {one.document_key}" for side, ones in sides for one in ones))
        for side, ones in sides:
            for one in ones:
                yield (
                    _digest(key, side, one.document_key), key, each.hop, side, each.pass_name, each.is_sure,
                    each.confidence, one.document_key, one.connection, one.document_type, one.document_id,
                    one.document_number, one.document_date, one.legal_entity_id, one.customer_key, one.currency_code,
                    one.amount, each.difference, each.reason or None,
                )  # fmt: skip


def _digest(*words: str) -> str:
    return hashlib.md5("|".join(words).encode(), usedforsecurity=False).hexdigest()


def _version(books: psycopg.Connection, run_id: int) -> tuple[int, int]:
    """Close what is no longer suggested or says something else, record what is new: (recorded, closed)."""
    said = f"md5(cast(row({', '.join(COLUMNS)}) as text))"
    books.execute(f"update suggested set recorded_run = %s, superseded_run = %s, row_hash = {said}", (run_id, OPEN_RUN))
    closed = books.execute(
        "update marts.rec_suggestion as stored set superseded_run = %s where superseded_run = %s and not exists ("
        "select from suggested as now where now.member_key = stored.member_key and now.row_hash = stored.row_hash)",
        (run_id, OPEN_RUN),
    ).rowcount
    # What a repeated run recorded itself was never published.
    books.execute("delete from marts.rec_suggestion where recorded_run = %s and superseded_run = %s", (run_id, run_id))
    listed = ", ".join((*COLUMNS, "recorded_run", "superseded_run", "row_hash"))
    recorded = books.execute(
        f"insert into marts.rec_suggestion ({listed}) select {listed} from suggested as now where not exists ("
        "select from marts.rec_suggestion as stored where stored.superseded_run = %s"
        " and stored.member_key = now.member_key)",
        (OPEN_RUN,),
    ).rowcount
    return recorded, closed
