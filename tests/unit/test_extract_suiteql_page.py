"""NetSuite's answers when they are not what was asked for: skipped, swapped, ended too soon. And a wrong clock."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import httpx
import pytest

from tests.unit.extract_stub import NOW, answer, body, netsuite, ns_error
from tests.unit.test_extract_suiteql import (
    ALL,
    LINK_ORDER,
    SUITEQL,
    TOKEN_PATH,
    WINDOW,
    Account,
    Rows,
    items,
    links,
    opened,
    probe,
    rows,
    stream,
)
from tieout.errors import AuthError, SourceError
from tieout.extract import Window
from tieout.extract.http import Damaged, Refused
from tieout.extract.suiteql_page import Asked, batch_of

WHOLE = Window(None, ALL.end, full=True)
THINGS: Rows = [{"id": str(number)} for number in range(1, 41)]


class Counting(Account):
    """Also counts, as `SELECT COUNT(*)` asks it to. `spoil(statement, answer)` may change what it says."""

    def __init__(self, rows: Rows, *order: str, spoil=None, capped: int = 100_000) -> None:
        super().__init__(rows, *order)
        self.spoil, self.capped = spoil, capped

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        text = body(request)["q"]
        if "COUNT(*)" in text:
            self.requests.append(request)
            low, high = (re.search(rf"t\.{self.order[0]} {sign} (-?\d+)", text) for sign in (">", "<="))
            there = [int(row[self.order[0]]) for row in self.rows]
            there = [key for key in there if (not low or key > int(low[1])) and (not high or key <= int(high[1]))]
            return items([{"rows_there": str(len(there))}])
        given = json.loads(super().handle_request(request).content)
        given["totalResults"] = min(given["totalResults"], self.capped)
        if self.spoil and "1 = 0" not in text:
            given = self.spoil(text, given) or given
        return answer(given)

    @property
    def counts(self) -> list[str]:
        return [text for text in self.statements if "COUNT(*)" in text]


def read(account: Account, name: str = "item", **options: object) -> tuple[list[int], dict]:
    subject = opened(account, netsuite(page_size=10, **options))
    found = rows(list(subject.pages(stream(name), WHOLE)))
    return [int(row[account.order[0]]) for row in found], subject.facts.notes


def skipping(after: int, times: int):
    """A server that answers the page after `after` with the page after that one, so many times."""
    left = [times]

    def spoil(text: str, given: dict) -> dict | None:
        if f"t.id > {after} " not in text or not left[0]:
            return None
        left[0] -= 1
        rest = [{"id": str(number)} for number in range(after + 11, 41)]
        return {"count": 10, "hasMore": len(rest) > 10, "items": rest[:10], "totalResults": len(rest)}

    return spoil


def test_what_was_announced_and_came_is_not_counted_again():
    account = Counting(THINGS, "id")
    assert read(account)[0] == list(range(1, 41))
    assert account.counts == []


def test_a_page_that_was_left_out_is_missed_and_read_again():
    found, notes = read(Counting(THINGS, "id", spoil=skipping(10, times=1)))
    assert sorted(set(found)) == list(range(1, 41))
    assert notes["restarts"] == {"item": 1}


def test_pages_that_stay_left_out_are_an_error_never_a_short_load():
    with pytest.raises(SourceError, match="erp_us, stream item: 30 of 40 rows came, after 3 restarts"):
        read(Counting(THINGS, "id", spoil=skipping(10, times=99)))


def test_rows_that_left_the_window_while_it_was_read_are_no_loss():
    account = Counting(THINGS, "id")

    def leaves(text: str, given: dict) -> None:
        account.rows = [row for row in account.rows if row["id"] != "35"]

    account.spoil = leaves
    found, notes = read(account)
    assert found == [number for number in range(1, 41) if number != 35]
    assert len(account.counts) == 1
    assert "restarts" not in notes


def test_where_the_vendor_stops_counting_stretches_are_counted(monkeypatch):
    """Totals end at what one statement yields; a page that is left out of a longer result shows in its stretch."""
    monkeypatch.setattr("tieout.extract.suiteql.MOST_ROWS", 20)
    account = Counting(THINGS, "id", capped=20)
    assert read(account)[0] == list(range(1, 41))
    assert [re.findall(r"t\.id \S+ \d+", text) for text in account.counts] == [
        ["t.id <= 20"], ["t.id > 20", "t.id <= 40"],
    ]
    found, notes = read(Counting(THINGS, "id", spoil=skipping(20, times=1), capped=20))
    assert sorted(set(found)) == list(range(1, 41))
    assert notes["restarts"] == {"item": 1}


def test_a_key_that_spans_pages_adds_up_too(monkeypatch):
    monkeypatch.setattr("tieout.extract.suiteql.MOST_ROWS", 40)
    wanted = links([3, 11, 25, 1, 9])
    account = Counting(wanted, *LINK_ORDER, capped=40)
    assert len(read(account, "nexttransactionlink")[0]) == len(wanted)
    assert account.counts


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"count": 1, "hasMore": False, "items": [{"id": "1"}], "totalResults": 2}, "no more rows announced after 1"),
        ({"count": 1, "hasMore": False, "items": [{"id": "1"}]}, "totalResults"),
        ({"hasMore": False, "items": [{"id": "1", "symbol": "USD"}], "totalResults": 1}, "a column symbol"),
        ({"hasMore": False, "items": [{"id": "1", "entity": "8"}], "totalResults": 1}, "rows of entity 8, which was"),
    ],
)
def test_an_answer_to_another_question_is_damaged(said, why):
    asked = Asked(10, keyset="id", columns={"id", "links", "entity"})
    if "entity" in why:
        asked = Asked(10, keyset="id", parent="entity", parents=frozenset({"7"}))
    with pytest.raises(Damaged, match=why):
        batch_of(json.dumps(said).encode(), asked)


def test_an_answer_to_the_question_passes():
    said = {"links": [], "hasMore": False, "totalResults": 1, "items": [{"links": [], "id": 5, "entity": 7}]}
    asked = Asked(10, keyset="id", columns={"id", "links", "entity"}, parent="entity", parents=frozenset({"7"}))
    assert batch_of(json.dumps(said).encode(), asked).keys == [5]


def test_lines_of_documents_that_were_not_asked_for_never_stand_for_those_that_were():
    """Two chunks at once, their answers swapped: the lines of one chunk's documents would be taken for gone."""
    lines = [{"uniquekey": str(number), "transaction": str(number)} for number in (1, 2)]
    swapped: list[bool] = []

    def reply(request: httpx.Request) -> httpx.Response:
        text = body(request)["q"]
        if "1 = 0" in text:
            return items([])
        wanted = re.search(r"IN \((\d+)\)", text)[1]
        if wanted == "2" and not swapped:
            swapped.append(True)
            return items(lines[:1])
        return items([line for line in lines if line["transaction"] == wanted])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tieout.extract.suiteql_select.MOST_PARENTS", 1)
        pages = list(opened(probe_always(reply)).pages(stream("transactionline"), WINDOW, iter(["1", "2"])))
    assert [(page.parents, [row["uniquekey"] for row in rows([page])]) for page in pages] == [
        (("1",), ["1"]), (("2",), ["2"]),
    ]
    assert swapped


def probe_always(reply):
    return probe().on("POST", SUITEQL, reply, always=True)


def test_a_column_is_not_given_up_because_of_a_refusal_that_is_no_matter_of_columns():
    """While it is found out which column is meant, a 403 or a proxy's page says nothing about any of them."""

    def reply(request: httpx.Request) -> httpx.Response:
        text = body(request)["q"]
        if "t.vatregnumber" in text and "t.currency" in text:
            return ns_error(400, "INVALID_PARAMETER", "Invalid or unsupported search")
        return ns_error(403, "INSUFFICIENT_PERMISSION") if "t.currency" in text else items([])

    with pytest.raises(Refused, match="403"):
        list(opened(probe_always(reply)).pages(stream("customer"), WINDOW))


# --- our clock ------------------------------------------------------------------------------------------------------


def stamped(minutes: int, *, most: int = 300):
    """A vendor whose clock shows NOW; ours is so many minutes off. It refuses stamps that are far from its own."""
    theirs = NOW - timedelta(minutes=minutes)

    def reply(request: httpx.Request) -> httpx.Response:
        told = int(re.search(r'oauth_timestamp="(\d+)"', request.headers["authorization"])[1])
        date = f"{theirs:%a, %d %b %Y %H:%M:%S} GMT"
        if abs(told - theirs.timestamp()) <= most:
            return answer(json.loads(items([]).content), date=date)
        challenge = 'OAuth error="timestamp_refused", error_description="Timestamp is out of range."'
        return ns_error(401, "INVALID_LOGIN", "Invalid login attempt.", www_authenticate=challenge, date=date)

    return probe_always(reply)


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_signature_takes_the_vendors_time_once_ours_is_refused(minutes):
    wire = stamped(minutes)
    subject = opened(wire)
    subject.test()
    subject.test()
    assert len(wire.requests) == 3  # learnt once
    assert subject.facts.notes["clock_skew_seconds"] == -60 * minutes


def test_a_clock_that_is_days_off_is_not_followed():
    """The answer's date may be wrong as well, and with such a clock no certificate would be valid."""
    with pytest.raises(AuthError):
        opened(stamped(3 * 24 * 60)).test()


@pytest.mark.parametrize("minutes", [10, -10])
def test_an_assertion_takes_the_vendors_time_once_ours_is_refused(minutes):
    theirs = NOW - timedelta(minutes=minutes)
    date = f"{theirs:%a, %d %b %Y %H:%M:%S} GMT"
    wire = probe(items([])).on(
        "POST", TOKEN_PATH, answer({"error": "invalid_grant"}, 400, date=date),
        answer({"access_token": "eyJ-one", "expires_in": 3600}, date=date),
    )
    opened(wire, netsuite("oauth2_m2m")).test()
    assert wire.left == []
