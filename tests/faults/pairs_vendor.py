"""A small NetSuite for pairs of operations: what it held when it was first landed, and what it holds now.

Served by window, by parent and by complete set, as the connector would; pages come a little apart, as over a wire.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tieout.extract import Facts, Page, Window
from tieout.spec import Stream

ZONE = ZoneInfo("America/Los_Angeles")
FIRST = datetime(2025, 5, 20, 12, tzinfo=UTC)  # when everything was landed for the first time
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
DOCUMENTS, PAGE = 24, 8
Record = dict[str, Any]


def stamp(day: int, hour: int = 9, month: int = 5) -> str:
    return f"2025-{month:02d}-{day:02d} {hour:02d}:00:00"


def held(now: bool) -> dict[str, list[Record]]:
    """All records per stream: at FIRST, or at NOW."""
    documents = [_document(n, now) for n in range(1, DOCUMENTS + (4 if now else 0))]
    gone = {"3", "11"} if now else set()
    documents = [one for one in documents if one["id"] not in gone]
    lines = [line for one in documents for line in _lines(one)]
    ledger = [{"accountingbook": "1", "transaction": line["transaction"], "transactionline": line["id"], "account": "1",
               "amount": line["foreignamount"], "posting": "T"} for line in lines]
    deleted = [{"recordid": key, "recordtypeid": "7", "type": "invoice", "deleteddate": stamp(25)}
               for key in sorted(gone)]
    if now:
        deleted.append({"recordid": "5", "recordtypeid": "9", "type": "inventoryitem", "deleteddate": stamp(26)})
    return {
        "transaction": documents, "transactionline": lines, "transactionaccountingline": ledger,
        "deletedrecord": deleted,
        "nexttransactionlink": [_link(n, now) for n in range(1, 10) if not (now and n == 4)],
        "customer": [{"id": str(n), "companyname": f"c{n}{'!' * (now and n == 2)}", "isinactive": "F",
                      "lastmodifieddate": stamp(28 if now and n == 2 else 2)} for n in range(1, 7)],
        "item": [_item(n, now) for n in range(1, 9) if not (now and n == 5)],
        "account": [_account(n, now) for n in range(1, 8)],
        "subsidiary": [{"id": "1", "name": "Parent", "currency": "1", "isinactive": "F"}],
        "currency": [{"id": "1", "symbol": "USD", "name": "US Dollar", "isbasecurrency": "T"}],
        "accountingperiod": [{"id": "5", "periodname": "May 2025", "startdate": "2025-05-01", "enddate": "2025-05-31",
                              "closed": "T" if now else "F", "isquarter": "F", "isyear": "F", "isadjust": "F"}],
    }


def _document(number: int, now: bool) -> Record:
    changed = now and number % 5 == 0
    fresh = number >= DOCUMENTS
    day = 30 if fresh else 27 if changed else 1 + number % 18
    return {"id": str(number), "tranid": f"INV{number}", "type": "CustInvc", "recordtype": "invoice", "status": "B",
            "entity": str(1 + number % 6), "currency": "1", "postingperiod": "5", "exchangerate": "1", "posting": "T",
            "foreigntotal": f"{number + (100 if changed else 0)}.10", "trandate": "2025-05-10", "voided": "F",
            "createddate": stamp(1), "lastmodifieddate": stamp(day)}


def _lines(document: Record) -> list[Record]:
    number = int(document["id"])
    total = document["foreigntotal"]
    count = 1 if document["lastmodifieddate"] == stamp(27) else 2  # a changed document lost a line
    return [{"uniquekey": str(number * 10 + at), "transaction": document["id"], "id": str(at), "linesequencenumber": at,
             "item": str(1 + at), "subsidiary": "1", "foreignamount": f"-{total}", "netamount": f"-{total}",
             "quantity": "-1", "mainline": "T" if at == 0 else "F", "taxline": "F"} for at in range(count)]


def _link(number: int, now: bool) -> Record:
    return {"previousdoc": str(number), "previousline": "0", "nextdoc": str(number + 1), "nextline": "0",
            "linktype": "OrdBill", "foreignamount": "9" if now and number == 2 else "1",
            "lastmodifieddate": stamp(29 if now and number == 2 else 3)}


def _item(number: int, now: bool) -> Record:
    good = number != 7 or now  # the seventh could not be typed when it was first landed
    return {"id": str(number), "itemid": f"i{number}", "displayname": "new" if now and number in (2, 7) else "old",
            "itemtype": "InvtPart", "isinactive": "F" if good else "?",
            "lastmodifieddate": stamp(24 if now and number in (2, 7) else 4)}


def _account(number: int, now: bool) -> Record:
    """Accounts carry no stamp: only their order of landing says which version is younger."""
    good = number != 6 or now
    return {"id": str(number), "acctnumber": f"4{number}", "accttype": "Income", "issummary": "F",
            "fullname": f"account {number}{' renamed' if now and number in (1, 6) else ''}",
            "isinactive": "F" if good else "?"}


class Vendor:
    """An extractor over `held`. `pace`: pages wait up to so many seconds, by `seed`."""

    at_hand = False

    def __init__(self, *, now: bool = True, seed: int = 0, pace: float = 0.02) -> None:
        self.facts = Facts()
        self._held = held(now)
        self._now = NOW if now else FIRST
        self._chance, self._pace = random.Random(seed), pace

    def __enter__(self) -> Vendor:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def now(self) -> datetime:
        return self._now

    def available(self, stream: Stream) -> bool:
        return True

    def test(self) -> str:
        return "a campaign's vendor"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        records = self._held.get(stream.name, [])
        if parents is not None and stream.parent:
            yield from self._children(stream, records, list(parents))
            return
        wanted = [one for one in records if window.full or not stream.cursor
                  or (stream.cursor in one and _inside(one[stream.cursor], window))]
        # Lines asked for by their own stamp are not the whole of their documents.
        keys = tuple({one[stream.parent.column] for one in wanted}) if stream.parent and window.full else ()
        for at in range(0, max(1, len(wanted)), PAGE):
            last = at + PAGE >= len(wanted)
            yield self._page(stream, wanted[at : at + PAGE], keys if last else ())

    def _children(self, stream: Stream, records: list[Record], parents: list[str]) -> Iterator[Page]:
        for at in range(0, len(parents), PAGE):
            asked = parents[at : at + PAGE]
            yield self._page(stream, [one for one in records if one[stream.parent.column] in asked], tuple(asked))

    def _page(self, stream: Stream, records: list[Record], parents: tuple[str, ...]) -> Page:
        time.sleep(self._chance.random() * self._pace)
        self.facts.requests += 1
        return Page(stream.name, json.dumps({"items": records}).encode(), records="items", omits_nulls=True,
                    parents=parents)


def _inside(text: str, window: Window) -> bool:
    at = datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)
    return (window.start is None or window.start <= at) and at < window.end + timedelta(0)
