"""What the vendor answers: its tables in the words of the real specs, cut into pages, with the whims vendors have."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg

from tests.faults.stream_history import PACIFIC, History, Vendor
from tests.faults.stream_model import FLAGGED, GONE, LIVE, Clock, Event, Row, Version
from tests.integration.fake_extractor import json_page
from tieout.extract import Page
from tieout.extract.suiteql_select import local_bounds


@dataclass(frozen=True)
class Shape:
    """One stream of the real specs: how a row is written, and where its parts stand in the raw table.

    kind: fed (a list names its deletions), feed, lines, flagged, noticed, swept, whole, plain.
    """

    stream: str
    kind: str
    table: str
    key: str
    number: str
    document: str = "null"

    @property
    def is_stamped(self) -> bool:
        return self.kind != "whole"

    def record(self, row: Row, written: datetime | None) -> dict[str, Any]:
        """The record in the vendor's words; `written`: its stamp as the vendor writes it."""
        amount = "many" if row.unreadable else None if row.number is None else str(row.number)
        stamp = None if written is None else f"{written:%Y-%m-%d %H:%M:%S}"
        if self.kind == "feed":
            recordid, kind, _ = row.key.split("|")
            return {"recordid": recordid, "recordtypeid": kind, "type": "invoice" if kind == "1" else "customer",
                    "deleteddate": stamp}
        made: dict[str, dict[str, Any]] = {
            "transaction": {"id": row.key, "recordtype": "invoice", "type": "CustInvc", "foreigntotal": amount,
                            "lastmodifieddate": stamp},
            "transactionline": {"uniquekey": row.key, "transaction": row.document, "foreignamount": amount,
                                "linelastmodifieddate": stamp},
            "nexttransactionlink": {"previousdoc": row.key, "previousline": "0", "nextdoc": "9", "nextline": "0",
                                    "linktype": "Payment", "foreignamount": amount, "lastmodifieddate": stamp},
            "account": {"id": row.key, "acctnumber": amount},
            "item": {"id": row.key, "itemid": amount, "lastmodifieddate": stamp},
            "customer": {"id": row.key, "accountnumber": amount, "lastmodifieddate": stamp},
            "Opportunity": {"Id": row.key, "Amount": amount, "IsDeleted": row.deleted,
                            "SystemModstamp": written and f"{written:%Y-%m-%dT%H:%M:%S}.000+0000"},
            "OpportunityLineItem": {"Id": row.key, "OpportunityId": row.document, "TotalPrice": amount,
                                    "IsDeleted": row.deleted,
                                    "SystemModstamp": written and f"{written:%Y-%m-%dT%H:%M:%S}.000+0000"},
        }
        return {name: value for name, value in made[self.stream].items() if value is not None}

    def stored(self, db: psycopg.Connection, connection: str, clock: Clock) -> Iterator[Version]:
        """All versions of the connection in the raw table."""
        for key, number, stamp, deleted, document, born, closed in db.execute(
                f"select {self.key}, ({self.number})::bigint, extract(epoch from _modified_at)::bigint, _is_deleted, "
                f"{self.document}, _batch_id, _superseded_batch from raw.{self.table} where _connection = %s",
                (connection,)).fetchall():
            second = None if stamp is None else stamp - int(clock.base.timestamp())
            key = f"{key}|{second}" if self.kind == "feed" else key
            yield Version(key, number, second, deleted, document, born, closed)


SHAPES: dict[str, tuple[Shape, ...]] = {
    "flag": (
        Shape("Opportunity", "flagged", "salesforce__opportunity", "_key", "amount"),
        Shape("OpportunityLineItem", "lines", "salesforce__opportunitylineitem", "_key", "totalprice",
              "opportunityid")),
    "feed": (
        Shape("transaction", "fed", "netsuite__transaction", "_key", "foreigntotal"),
        Shape("transactionline", "lines", "netsuite__transactionline", "_key", "foreignamount", "transaction"),
        Shape("deletedrecord", "feed", "netsuite__deletedrecord", "recordid || '|' || recordtypeid", "null")),
    "sweep": (Shape("nexttransactionlink", "swept", "netsuite__nexttransactionlink", "previousdoc", "foreignamount"),),
    "full": (Shape("account", "whole", "netsuite__account", "_key", "acctnumber"),),
    "notice": (Shape("item", "noticed", "netsuite__item", "_key", "itemid"),),
    "untraced": (Shape("customer", "plain", "netsuite__customer", "_key", "accountnumber"),),
}


@dataclass
class Answer:
    """One answer: its pages, their rows in order of arrival, and the documents whose lines came in full."""

    pages: list[Page]
    rows: list[Row]
    documents: list[str] = field(default_factory=list)


class Teller:
    """Answers windows from the vendor's tables. `rng`: pages twice, other orders, unreadable values; None: none."""

    def __init__(self, history: History, vendor: Vendor, clock: Clock, rng: random.Random | None) -> None:
        self._history, self._vendor, self._clock, self._rng = history, vendor, clock, rng
        self.kinds: Counter[str] = Counter()

    def answer(self, shape: Shape, moment: int, start: int | None, end: int, full: bool,
               parents: list[str] | None) -> Answer:
        """What the vendor answers at `moment` to the window [start, end), or to a list of documents."""
        if shape.kind == "feed":
            rows = self._feed_rows(moment)
        else:
            table = self._vendor.lines if shape.kind == "lines" else self._vendor.documents
            rows = [(row, event.stamp) for event in table.at(moment).values() if (row := self._row(shape, event, full))]
        if parents is not None:
            rows = [(row, at) for row, at in rows if row.document in parents]
        elif not full and shape.is_stamped:
            rows = [(row, at) for row, at in rows if self._is_in(at, start, end)]
        rows.sort(key=lambda pair: pair[0].key)
        rows = self._whims(shape, rows, moment)
        return self._paged(shape, rows, parents)

    def _row(self, shape: Shape, event: Event, full: bool) -> Row | None:
        if event.state == GONE and (shape.kind != "noticed" or full or not event.traced):
            return None
        stamp = self._clock.read(event.stamp) if shape.is_stamped else None
        if event.state == GONE:
            return Row(event.key, None, stamp if self._history.stamped_notices else None, notice=True)
        return Row(event.key, event.number, stamp, event.state == FLAGGED, event.document)

    def _feed_rows(self, moment: int) -> list[tuple[Row, int]]:
        """The deletions, and beside each the deletion of a customer that has a document's number."""
        found = []
        for key, at, seen in self._vendor.feed:
            if seen <= moment:
                read = self._clock.read(at)
                found += [(Row(f"{key}|1|{read}", None, read), at),
                          (Row(f"{100 + (int(key) + 1) % 9}|2|{read}", None, read), at)]
        return found

    def _is_in(self, stamp: int, start: int | None, end: int) -> bool:
        """As the vendor compares: instants, or local time as it is written."""
        if self._clock.zone is None:
            return (start is None or stamp >= start) and stamp < end
        since = None if start is None else self._clock.instant(start)
        low, high = local_bounds(since, self._clock.instant(end), PACIFIC)
        written = self._clock.written(stamp)
        return (low is None or written >= low) and written < high

    def _whims(self, shape: Shape, rows: list[tuple[Row, int]], moment: int) -> list[tuple[Row, int]]:
        rng = self._rng
        if rng is None or not rows:
            return rows
        if len(rows) > 1 and rng.random() < 0.5:
            rng.shuffle(rows)
            self.kinds["out of order"] += 1
        if shape.kind in ("fed", "flagged", "lines") and rng.random() < 0.06:
            place = rng.randrange(len(rows))
            row, at = rows[place]
            rows[place] = (replace(row, number=None, unreadable=True), at)
            self.kinds["unreadable records"] += 1
        if shape.kind not in ("feed", "lines") and rng.random() < 0.15:
            row, at = rng.choice(rows)
            older = [event for event in self._vendor.documents.events
                     if event.key == row.key and event.state == LIVE and event.seen <= moment and row.number
                     and event.number < row.number]
            if older and not row.unreadable:
                rows.insert(0, (self._row(shape, older[-1], False), older[-1].stamp))
                self.kinds["changed while it was read: both states in one load"] += 1
        return rows

    def _paged(self, shape: Shape, rows: list[tuple[Row, int]], parents: list[str] | None) -> Answer:
        size = self._history.rows
        groups = [rows[at : at + size] for at in range(0, len(rows), size)]
        if self._rng and groups and self._rng.random() < 0.15:
            groups.insert(self._rng.randrange(len(groups) + 1), self._rng.choice(groups))
            self.kinds["the same page twice"] += 1
        pages, flat = [], []
        for group in groups:
            for notice in (False, True):
                if part := [(row, at) for row, at in group if row.notice == notice]:
                    pages.append(self._page(shape, part, notice))
                    flat += [row for row, _ in part]
        if parents is not None:
            pages.append(json_page(shape.stream, [], parents=tuple(parents)))
        return Answer(pages, flat, list(parents or ()))

    def _page(self, shape: Shape, rows: list[tuple[Row, int]], notice: bool) -> Page:
        records = [shape.record(row, None if row.stamp is None else self._clock.written(at)) for row, at in rows]
        return json_page(shape.stream, records, deleted=notice)
