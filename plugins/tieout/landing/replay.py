"""Refused records again: what would land now (a trial, without the warehouse's help), and landing them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from tieout.errors import LandingError
from tieout.landing import mapping, quarantine
from tieout.landing.erased import Erased
from tieout.landing.mapping import Decision, Healers
from tieout.landing.quarantine import Entry, Filter, Spool
from tieout.landing.veil import Veil

if TYPE_CHECKING:
    from tieout.extract import Page
    from tieout.landing.ledger import LoadResult
    from tieout.spec import Connection, Stream

PAGE_RECORDS = 500


@dataclass(frozen=True)
class Outlook:
    """What a replay would do with the open records: `lands` and `refused` are ids, `unreadable` is no JSON object.

    `mapped`: {mapping: values that it would let land}. `reasons`: {id: why it is still refused}.
    """

    lands: tuple[int, ...]
    refused: tuple[int, ...]
    unreadable: tuple[int, ...]
    mapped: dict[int, int]
    reasons: dict[int, str]


def place_of(connection: str, stream: str) -> tuple[Connection, Stream]:
    """The connection and its selected stream. Raises ConfigError, LandingError."""
    from tieout import settings

    found = settings.settings().company.connection(connection)
    spec = next((one for one in found.selected() if one.name == stream), None)
    if spec is None:
        raise LandingError(f"{connection} does not select the stream {stream}", hint="see `streams` in tieout.yml")
    return found, spec


def replay(connection: str, stream: str, run_id: int | None = None, *, ids: Iterable[int] = ()) -> LoadResult | None:
    """Land the stream's open records again (or the named ones), after the spec, a mapping or the landing was mended.

    What still does not fit stays open; a payload that is no JSON object waits for a corrected one and is left out. None
    when there is nothing to land. A record that meanwhile has a younger version does not overwrite it.
    """
    from tieout.landing.land import land_pages

    place, spec = place_of(connection, stream)
    chosen = Filter(connection, stream, ids=tuple(ids))
    if not any(_is_object(one.payload) for one in _open(chosen)):
        return None
    replaying: set[int] = set()

    def payloads() -> Iterator[str]:
        # Read under the stream's lock: a load that ran meanwhile may have brought a good version of a record.
        for one in _open(chosen):
            if _is_object(one.payload):
                replaying.add(one.quarantine_id)
                yield one.payload

    return land_pages(place, spec, _pages(place, spec, payloads()), run_id, mode="replay", replaying=replaying)


def replay_corrected(quarantine_id: int, payload: str, *, by: str, note: str) -> LoadResult:
    """Land a corrected record in place of an open one, whose own payload is kept. Raises LandingError where the
    corrected record is refused, too: nothing changes then. Persons' ids in it are hashed before anything is kept of it.
    """
    from tieout.landing.land import land_pages
    from tieout.warehouse import connect

    mapping.said(by, note)
    entry = quarantine.get(quarantine_id)
    if entry.status != "open":
        raise LandingError(f"record {quarantine_id} is not open: {entry.status}", hint=entry.note)
    where = f"{entry.connection}.{entry.stream}, record {quarantine_id}"
    if not _is_object(payload):
        raise LandingError(f"{where}: the corrected payload is no JSON object",
                           hint="one object, as the vendor sends it")
    place, spec = place_of(entry.connection, entry.stream)
    payload = Veil(place, spec).typed_by_hand(payload)
    with connect("loader") as db:
        payload = Erased.of(db, place, spec).record(payload)
        still = _trial(place, spec, [payload], mapping.healers(db, place, spec))
        if still:
            raise LandingError(f"{where}: the corrected record is refused: {still[0][4]}", hint="nothing changed")
    result = land_pages(place, spec, _pages(place, spec, iter([payload])), mode="replay",
                        replaying=[entry.quarantine_id])
    with connect("loader") as db:
        db.execute("update ops.quarantine set corrected_payload = %s, resolved_by = %s, note = note || ': ' || %s "
                   "where quarantine_id = %s", (payload, by, note, entry.quarantine_id))
    return result


def outlook(connection: str, stream: str, *, ids: Iterable[int] = (), with_: Sequence[Decision] = ()) -> Outlook:
    """A dry run: parse and type the open records with the mappings that count and those `with_` on trial."""
    from tieout.warehouse import connect

    place, spec = place_of(connection, stream)
    with connect("loader") as db:
        decisions = [*mapping.active(db, connection, stream), *with_]
    healers = Healers.of(spec, place.zone, decisions)
    entries = [*_open(Filter(connection, stream, ids=tuple(ids)))]
    readable = [one for one in entries if _is_object(one.payload)]
    refused = {row[5]: row[4] for row in _trial(place, spec, [one.payload for one in readable], healers)}
    return Outlook(
        lands=tuple(one.quarantine_id for one in readable if one.payload not in refused),
        refused=tuple(one.quarantine_id for one in readable if one.payload in refused),
        unreadable=tuple(one.quarantine_id for one in entries if not _is_object(one.payload)),
        mapped=dict(healers.used),
        reasons={one.quarantine_id: refused[one.payload] or "" for one in readable if one.payload in refused})


def _trial(place: Connection, spec: Stream, payloads: list[str], healers: Healers) -> list[Sequence[str | None]]:
    """The spool's rows of what typing still refuses."""
    from tieout.landing.ledger import Totals
    from tieout.landing.parse import Parser
    from tieout.landing.shape import Shaper

    spool = Spool()
    try:
        shaper = Shaper(spec, place.zone, Totals(spec.control_totals), spool, healers)
        for chunk in Parser(place, spec).chunks(_pages(place, spec, iter(payloads))):
            shaper.shape(chunk)
        return [*spool.rows()]
    finally:
        spool.close()


def _open(chosen: Filter) -> Iterator[Entry]:
    """Open records, the oldest first, through a cursor: a million of them cost no memory.

    Of two records with one key only a person can say which is right: they are replayed by id.
    """
    from psycopg.rows import class_row

    from tieout.warehouse import connect

    with connect("loader", application="tieout replay") as db, \
            db.cursor("open_records", row_factory=class_row(Entry)) as cursor:
        cursor.execute(quarantine.SELECT + quarantine.WHERE + "order by q.quarantine_id", quarantine.words(chosen))
        yield from (one for one in cursor if chosen.ids or one.reason_code != "duplicate_key")


def _pages(place: Connection, spec: Stream, payloads: Iterator[str]) -> Iterator[Page]:
    from tieout.extract import Page, as_sent

    while block := [*islice(payloads, PAGE_RECORDS)]:
        yield as_sent(place.source.protocol, Page(spec.name, f"[{','.join(block)}]".encode()))


def _is_object(payload: str) -> bool:
    try:
        msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


def by_stream(entries: Iterable[Entry]) -> dict[tuple[str, str], list[int]]:
    """{(connection, stream): ids}"""
    found: dict[tuple[str, str], list[int]] = {}
    for one in entries:
        found.setdefault((one.connection, one.stream), []).append(one.quarantine_id)
    return found
