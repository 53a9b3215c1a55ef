"""`tieout breaks` at work, verb by verb, and its CSV file there and back."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from tests.conftest import clear_settings, demo_company
from tests.integration.register_books import Books, key, own_books
from tieout import cli, place
from tieout.register import log

Tieout = Callable[..., str]


@pytest.fixture(scope="module")
def shared() -> Iterator[Books]:
    with own_books() as found:
        yield found


@pytest.fixture
def books(shared: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Books]:
    """Three breaks, in a place whose waiver limit is 50."""
    shared.empty()
    shared.publish({"aaaaaa": 100, "bbbbbb": {"amount": 7, "reason_code": "A3", "hop": "invoice_cash"},
                    "cccccc": {"amount": 30, "legal_entity_id": "DE01", "customer_name": "=HYPERLINK(1)"}})
    path = tmp_path / "tieout.yml"
    told = demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})
    path.write_text(json.dumps(told | {"breaks": {"waiver_limit": 50}}))
    monkeypatch.setenv("TIEOUT_CONFIG", str(path))
    clear_settings()
    monkeypatch.setattr(place, "find", lambda: place.Place("own", tmp_path, embedded=False))
    monkeypatch.setattr(place, "enter", lambda here: None)
    monkeypatch.setattr(place, "exists", lambda here: True)
    yield shared
    monkeypatch.undo()
    clear_settings()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(handler)


@pytest.fixture
def tieout(capfd: pytest.CaptureFixture) -> Tieout:
    def run(*words: str, code: int = 0, verb: str = "breaks") -> str:
        capfd.readouterr()
        assert cli.main([verb, *words]) == code, capfd.readouterr()
        out, err = capfd.readouterr()
        return out if code in (0, 1) else err

    return run


def keys(text: str) -> list[str]:
    return [found["break_key"][:6] for found in json.loads(text)]


def test_the_list_and_its_filters(books, tieout):
    assert keys(tieout("list", "--json")) == ["aaaaaa", "cccccc", "bbbbbb"], "the largest first"
    for words, expected in (
        (("--hop", "invoice_cash"), ["bbbbbb"]), (("--reason", "a3"), ["bbbbbb"]), (("--entity", "DE01"), ["cccccc"]),
        (("--amount", "30"), ["aaaaaa", "cccccc"]), (("--status", "waived"), []), (("--overdue",), []),
        (("--owner", "Sales Operations"), ["aaaaaa", "cccccc", "bbbbbb"]), (("--limit", "1"), ["aaaaaa"]),
        (("--waiting",), []), (("--status", "cleared"), []),
    ):  # fmt: skip
        assert keys(tieout("list", "--json", *words)) == expected, words
    assert "no status 'closed'" in tieout("list", "--status", "closed", code=12)
    assert "3 breaks" in tieout("list")
    rows = list(csv.DictReader(StringIO(tieout("list", "--csv"))))
    assert len(rows) == 3 and "'=HYPERLINK(1)" in [row["customer"] for row in rows]


def test_the_verbs(books, tieout):
    tieout("acknowledge", "aaaaaa", "--by", "ana")
    tieout("start", "aaaaaa", "--by", "ana")
    tieout("comment", "aaaaaa", "asked the customer", "--by", "ana")
    tieout("assign", "aaaaaa", "--to", "ben", "--due", "2026-08-01", "--by", "ana")
    assert "no day" in tieout("assign", "aaaaaa", "--due", "soon", code=12)
    assert "needs a reason" in tieout("resolve", "aaaaaa", code=12)
    tieout("resolve", "aaaaaa", "--reason", "credited", "--by", "ben")
    tieout("reopen", "aaaaaa", "--reason", "the credit bounced", "--by", "ana")
    shown = tieout("show", "aaaaaa")
    for words in ("asked the customer", "in progress", "the credit bounced", "2026-08-01"):
        assert words in shown, words
    told = json.loads(tieout("show", "aaaaaa", "--json"))
    assert [event["kind"] for event in told["events"]] == [
        "opened", "acknowledged", "started", "commented", "assigned", "resolved", "reopened"]  # fmt: skip
    assert told["break"]["owner"] == "ben"
    assert "there is no break" in tieout("show", "ffffff", code=12)


def test_a_waiver_over_the_limit_of_tieout_yml(books, tieout):
    assert "waived (event" in tieout("waive", "cccccc", "--reason", "small", "--by", "ana")
    assert "another person" in tieout("waive", "aaaaaa", "--reason", "so", "--allow", "5", "--by", "ana")
    assert keys(tieout("list", "--waiting", "--json")) == ["aaaaaa"]
    assert "another person approves it" in tieout("approve", "aaaaaa", "--by", "ana", code=12)
    tieout("approve", "aaaaaa", "--by", "ben")
    assert books.read("aaaaaa", "status", "changed_by") == ("waived", "ben")
    assert "--allow '-1'" in tieout("waive", "bbbbbb", "--reason", "x", "--allow", "-1", code=12)


def edited(path: Path, **acts: dict[str, str]) -> None:
    """Fill in lines of an exported file, by the first six letters of the key."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle)
        names, lines = rows.fieldnames, [row | acts.get(row["break_key"][:6], {}) for row in rows]
    with path.open("w", encoding="utf-8", newline="") as handle:
        out = csv.DictWriter(handle, names or ())
        out.writeheader()
        out.writerows(lines)


def test_the_file_there_and_back(books, tieout, tmp_path):
    path = tmp_path / "x.csv"
    tieout("export", str(path))
    assert path.stat().st_mode & 0o077 == 0
    assert "3 without an act" in tieout("import", str(path)), "as it was written it does nothing"
    edited(path, aaaaaa={"act": "waive", "why": "agreed", "allowance": "0.50"},
           bbbbbb={"act": "Start", "new_comment": "on it"}, cccccc={"act": "assign", "new_owner": "ben"})
    before = len(books.kinds("aaaaaa"))
    assert "3 would be carried out (1 wait" in tieout("import", str(path), "--dry-run", "--by", "ana")
    assert len(books.kinds("aaaaaa")) == before
    assert "3 carried out" in tieout("import", str(path), "--by", "ana")
    assert books.kinds("aaaaaa")[-1] == "waiver_requested"
    assert books.read("bbbbbb", "status", "comment") == ("in_progress", "on it")
    assert books.read("cccccc", "owner") == ("ben",)
    again = tieout("import", str(path), "--by", "ana", code=1)
    assert again.count("stale: since the export it was changed by ana") == 3 and "0 carried out" in again


def test_refused_lines_are_named_and_hold_up_nobody(books, tieout, tmp_path):
    path = tmp_path / "x.csv"
    tieout("export", str(path))
    edited(path, aaaaaa={"act": "start"}, bbbbbb={"act": "dance"}, cccccc={"why": "no act"})
    said = tieout("import", str(path), code=1)
    assert "x.csv:4: bbbbbb0000: no act 'dance'" in said and "x.csv:3: cccccc0000: something is filled in" in said
    assert "1 carried out" in said and books.kinds("aaaaaa")[-1] == "started"


def test_a_line_whose_break_changed_or_went_is_stale(books, tieout, tmp_path):
    path = tmp_path / "x.csv"
    tieout("export", str(path))
    edited(path, aaaaaa={"act": "start"}, bbbbbb={"act": "start"}, cccccc={"act": "start"})
    tieout("comment", "aaaaaa", "wait", "--by", "zoe")
    books.publish({"aaaaaa": 100, "bbbbbb": {"amount": 8, "reason_code": "A3", "hop": "invoice_cash"}})
    said = tieout("import", str(path), code=1)
    assert "changed by zoe" in said and "the amount was 7.0000, and is 8.0000 now" in said
    assert "not in the register any more" in said and "0 carried out" in said


@pytest.mark.parametrize(("text", "said"), [
    ("a,b\n1,2\n", ":1: no column break_key"),
    ("break_key,event_id,amount,act,new_owner,new_due_date,new_comment,why,allowance\nk,1\n", ":2: 9 cells"),
    ('break_key,event_id,amount,act,new_owner,new_due_date,new_comment,why,allowance\n"k', "x.csv:"),
])  # fmt: skip
def test_a_file_that_is_none_is_refused_whole(books, tieout, tmp_path, text, said):
    (tmp_path / "x.csv").write_text(text)
    assert said in tieout("import", str(tmp_path / "x.csv"), code=12)
    assert "No such file" in tieout("import", str(tmp_path / "y.csv"), code=12)


def test_the_audit_on_the_command_line(books, tieout):
    told = json.loads(tieout("audit", "--json"))
    assert told["broken"] is None and told["events"] == 3
    assert "3 events, none changed" in tieout("audit", "--hash", told["hash"])
    assert "no event has the hash 00" in tieout("audit", "--hash", "00", code=1)
    books.as_superuser("update ops.break_event set actor = 'eve' where event_id = 2")
    assert f"event 2 (opened of break {key('bbbbbb')})" in tieout("audit", code=1)


def test_airflow_asks_and_its_answer_is_recorded(books, tieout):
    from tieout import steps
    from tieout.errors import RegisterError

    tieout("waive", "aaaaaa", "--reason", "a [link](http://x) <b>", "--by", "ana")
    (request,) = steps.waiting_waivers()
    question = steps.waiver_question(request)
    assert "100.00 USD" in question["subject"] and "ana" in question["subject"]
    assert r"a \[link\](http://x) \<b\>" in question["body"], "a source's text is text"

    def answer(chosen: str, name: str | None, why: str | None = None) -> str:
        user = name and {"id": f"id-{name}", "name": name}
        return steps.answer_waiver(question, {"chosen_options": [chosen], "responded_by_user": user,
                                              "params_input": {"why": why}})

    assert "goes on waiting" in answer("Later", None)
    with pytest.raises(RegisterError, match="another person"):
        answer("Approve", "Ana")
    with pytest.raises(RegisterError, match="does not say who"):
        answer("Approve", None)
    assert "waived by ben" in answer("Approve", "ben", "fine")
    assert "does not wait any more: the break is waived" in answer("Refuse", "ben")
    with log.opened() as db:
        last = db.execute("select actor, account, comment from ops.break_event order by event_id desc").fetchone()
    assert last == ("ben", "airflow:id-ben", "fine")
    assert steps.waiver_question(request) is None, "it does not wait any more"


def test_airflow_believes_the_account_that_asked_and_not_the_name_that_was_typed(books, tieout):
    from tieout import steps
    from tieout.errors import RegisterError

    tieout("waive", "aaaaaa", "--reason", "mine", "--by", "zoe")
    question = steps.waiver_question(*steps.waiting_waivers())
    mine = {"chosen_options": ["Approve"], "responded_by_user": {"id": "7", "name": log.account().upper()}}
    with pytest.raises(RegisterError, match="another person"):
        steps.answer_waiver(question, mine)
    assert "waiver refused" in steps.answer_waiver(question, mine | {"chosen_options": ["Refuse"]}), "taken back"


def test_of_more_requests_than_airflow_bears_the_largest_are_asked(books, tieout, monkeypatch):
    from tieout import steps
    from tieout.register import approval

    assert approval.MOST < 1_024  # core.max_map_length: a list that is longer fails the run
    monkeypatch.setattr(approval, "MOST", 1)
    books.publish({"aaaaaa": 100, "bbbbbb": 700, "cccccc": 60})
    for name in ("aaaaaa", "bbbbbb", "cccccc"):
        tieout("waive", name, "--reason", "many", "--by", "ana")
    assert [one["break_key"] for one in steps.waiting_waivers()] == [key("bbbbbb")]


def test_the_rules_are_shown(books, tieout):
    assert "the first that fits counts" in tieout("rules")
