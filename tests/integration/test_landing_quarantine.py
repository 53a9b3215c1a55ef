"""Refused records: mapped, corrected, waived or replayed by people, with names and reasons, and the counts add up."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.conftest import clear_settings, demo_company
from tests.integration.conftest import Rows, current, land, stream_of
from tests.integration.fake_extractor import json_page
from tieout.errors import LandingError
from tieout.extract import Page
from tieout.landing import decisions, mapping, quarantine, replay
from tieout.landing.land import LoadResult
from tieout.landing.quarantine import Filter
from tieout.spec import Connection
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("clean_raw", "archive", "configured")
WHO = {"by": "J. Doe", "reason": "the vendor writes N/A for nothing"}


@pytest.fixture
def configured(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A tieout.yml with the demo's connections."""
    path = tmp_path / "tieout.yml"
    path.write_text(json.dumps(demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})))
    monkeypatch.setenv("TIEOUT_CONFIG", str(path))
    clear_settings()
    yield
    monkeypatch.undo()
    clear_settings()


def tran(key: str, total: object = "10.50", stamp: str = "2025-01-02 10:00:00", **more: object) -> dict:
    return {"id": key, "foreigntotal": total, "trandate": "2025-01-02", "lastmodifieddate": stamp, "links": [], **more}


def pages(*records: dict) -> list[Page]:
    return [json_page("transaction", [*records], noise=("links",))]


def fix(netsuite: Connection, received: str, value: str | None, field: str = "foreigntotal") -> int | None:
    return mapping.decide(netsuite, stream_of(netsuite, "transaction"), field, received, value, **WHO)


def statuses(db: psycopg.Connection) -> dict[str, int]:
    return dict(db.execute("select status, count(*) from ops.quarantine group by 1").fetchall())


# --- mapping ----------------------------------------------------------------------------------------------------------


def test_mapping_heals_in_replay_and_shows_what_was_received(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "transaction", pages(tran("1", "N/A"), tran("2", "ten", colour="red"), tran("3")))
    assert fix(netsuite, "N/A", None) and fix(netsuite, "ten", "10.00")
    result = replay.replay("netsuite", "transaction")
    assert (result.received, result.landed, result.quarantined) == (2, 2, 0)
    assert current(loader, "netsuite__transaction", "foreigntotal") == {
        "1": None, "2": Decimal("10"), "3": Decimal("10.5")}  # fmt: skip
    assert current(loader, "netsuite__transaction", "_extra") == {
        "1": {"_tieout_mapped": {"foreigntotal": "N/A"}},
        "2": {"_tieout_mapped": {"foreigntotal": "ten"}, "colour": "red"},
        "3": None,
    }
    assert statuses(loader) == {"replayed": 2}
    assert {m.received: m.applied for m in mapping.active(loader)} == {"N/A": 1, "ten": 1}
    assert loader.execute("select distinct batch_id from ops.quarantine_mapping_use").fetchall() == [(result.batch_id,)]


def test_mapping_heals_every_later_landing_and_lands_it_once(netsuite: Connection, loader: psycopg.Connection) -> None:
    fix(netsuite, "N/A", "0")
    first = land(netsuite, "transaction", pages(tran("1", "N/A")))
    assert (first.landed, first.quarantined) == (1, 0)
    again = land(netsuite, "transaction", pages(tran("1", "N/A")))
    assert (again.landed, again.unchanged) == (0, 1)
    (one,) = mapping.active(loader)
    assert (one.applied, one.decided_by, one.reason) == (2, WHO["by"], WHO["reason"])


def test_mapping_never_touches_a_value_that_fits(netsuite: Connection, loader: psycopg.Connection) -> None:
    fix(netsuite, "5", "99")
    result = land(netsuite, "transaction", pages(tran("1", "5"), tran("2", "x")))
    assert (result.landed, result.quarantined) == (1, 1)
    assert current(loader, "netsuite__transaction", "foreigntotal") == {"1": Decimal(5)}
    assert mapping.active(loader)[0].applied == 0


def test_mapping_is_not_counted_for_a_record_refused_elsewhere(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    fix(netsuite, "N/A", None)
    result = land(netsuite, "transaction", pages(tran("1", "N/A", trandate="?")))
    assert (result.landed, result.quarantined) == (0, 1)
    assert mapping.active(loader)[0].applied == 0
    (entry,) = quarantine.list()
    assert (entry.field, entry.value) == ("trandate", "?")
    assert json.loads(entry.payload)["foreigntotal"] == "N/A", "the payload is as received"


def test_revoked_mapping_refuses_again_and_history_stays(netsuite: Connection, loader: psycopg.Connection) -> None:
    made = fix(netsuite, "N/A", "0")
    land(netsuite, "transaction", pages(tran("1", "N/A")))
    with pytest.raises(LandingError, match="needs a reason and a name"):
        mapping.revoke(made, by="J. Doe", reason=" ")
    mapping.revoke(made, by="A. Roe", reason="N/A is unknown, not nothing")
    assert mapping.active(loader) == []
    assert land(netsuite, "transaction", pages(tran("2", "N/A"))).quarantined == 1
    assert current(loader, "netsuite__transaction", "foreigntotal") == {"1": Decimal(0)}
    assert loader.execute("select action, decided_by from ops.quarantine_mapping order by 1").fetchall() == [
        ("map", "J. Doe"), ("revoke", "A. Roe")]  # fmt: skip
    with pytest.raises(LandingError, match="no mapping"):
        mapping.revoke(made, by="A. Roe", reason="again")


def test_the_latest_decision_counts_and_the_same_one_is_not_kept_twice(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    assert fix(netsuite, "N/A", "0") is not None
    assert fix(netsuite, "N/A", "0") is None
    assert fix(netsuite, "N/A", "1") is not None
    assert [(m.received, m.value) for m in mapping.active(loader)] == [("N/A", "1")]


def test_decisions_are_append_only_by_right(netsuite: Connection, loader: psycopg.Connection) -> None:
    fix(netsuite, "N/A", "0")
    for statement in ("update ops.quarantine_mapping set value = '1'", "delete from ops.quarantine_mapping"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loader.execute(statement)


@pytest.mark.parametrize(
    ("field", "received", "value", "said"),
    [
        ("foreigntotal", "N/A", "zero", "'zero' for 'N/A' does not fit amount either: not a number"),
        ("nosuchfield", "N/A", "0", "not a declared field"),
        ("id", "x", None, "a key cannot land as nothing"),
        ("foreigntotal", "x" * 2000, "0", "longer than 2000 characters"),
    ],
)
def test_mapping_that_could_not_work_is_refused(
    netsuite: Connection, field: str, received: str, value: str | None, said: str
) -> None:
    with pytest.raises(LandingError, match=r"netsuite\.transaction, field") as caught:
        fix(netsuite, received, value, field)
    assert said in str(caught.value)


def test_dry_run_says_what_would_land_and_changes_nothing(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "transaction", pages(tran("1", "N/A"), tran("2", "N/A", trandate="?"), tran("3", "x")))
    before = loader.execute("select * from ops.quarantine order by 1").fetchall()
    trial = mapping.Decision(0, "netsuite", "transaction", "foreigntotal", "N/A", None, "", "", datetime.now(UTC))
    found = replay.outlook("netsuite", "transaction", with_=[trial])
    keys = {e.quarantine_id: e.record_key for e in quarantine.list()}
    assert ([keys[i] for i in found.lands], [keys[i] for i in found.refused]) == (["1"], ["2", "3"])
    assert found.mapped == {0: 1}
    assert {keys[i]: why for i, why in found.reasons.items()} == {
        "2": "trandate: not a date (YYYY-MM-DD)", "3": "foreigntotal: not a number"}  # fmt: skip
    assert loader.execute("select * from ops.quarantine order by 1").fetchall() == before
    assert mapping.active(loader) == []


def test_mapped_duplicate_goes_back_as_it_was_received(netsuite: Connection, loader: psycopg.Connection) -> None:
    fix(netsuite, "N/A", "0")
    result = land(netsuite, "transaction", pages(tran("1", "N/A", memo="a"), tran("1", "N/A", memo="b")))
    assert (result.landed, result.quarantined) == (1, 1)
    (entry,) = quarantine.list()
    payload = json.loads(entry.payload)
    assert (payload["foreigntotal"], payload["memo"], entry.amounts) == ("N/A", "a", {"foreigntotal": "0"})
    assert "_tieout_mapped" not in payload
    assert replay.replay("netsuite", "transaction") is None, "which of the two is right, a person says by id"
    assert replay.replay("netsuite", "transaction", ids=[entry.quarantine_id]).landed == 1
    assert current(loader, "netsuite__transaction", "memo") == {"1": "a"}


# --- corrected records ------------------------------------------------------------------------------------------------


def test_record_without_a_key_lands_once_it_is_corrected(netsuite: Connection, loader: psycopg.Connection) -> None:
    keyless = tran("", "7")
    land(netsuite, "transaction", pages(keyless, tran("2")))
    (entry,) = quarantine.list()
    corrected = json.dumps({**keyless, "id": "1"})
    result = replay.replay_corrected(entry.quarantine_id, corrected, by="J. Doe", note="by mail")
    assert (result.landed, result.drift) == (1, {})
    assert current(loader, "netsuite__transaction", "foreigntotal") == {"1": Decimal(7), "2": Decimal("10.5")}
    (settled,) = quarantine.list(status="replayed")
    assert json.loads(settled.payload) == keyless, "the original is kept"
    assert json.loads(settled.corrected_payload)["id"] == "1"
    assert settled.resolved_by == "J. Doe" and settled.note.endswith(": by mail")


def test_broken_record_does_not_stop_the_others_and_can_be_corrected(
    netsuite: Connection, loader: psycopg.Connection
) -> None:
    body = b'{"items": [{"id": "1", "memo": "a\xff"}, {"id": "2", "foreigntotal": "N/A"}]}'
    land(netsuite, "transaction", [Page("transaction", body, records="items", omits_nulls=True)])
    fix(netsuite, "N/A", None)
    found = replay.outlook("netsuite", "transaction")
    assert (len(found.lands), len(found.unreadable)) == (1, 1)
    assert replay.replay("netsuite", "transaction").landed == 1
    (broken,) = quarantine.list()
    assert broken.reason_code == "bad_json"
    replay.replay_corrected(broken.quarantine_id, '{"id": "1", "memo": "aÿ"}', by="J. Doe", note="the vendor's mail")
    assert current(loader, "netsuite__transaction", "memo") == {"1": "aÿ", "2": None}
    assert quarantine.list() == ()


@pytest.mark.parametrize("payload", ["", "[]", "{", '{"id": ""}', '{"id": "1", "foreigntotal": "x"}'])
def test_correction_that_does_not_fit_changes_nothing(
    netsuite: Connection, loader: psycopg.Connection, payload: str
) -> None:
    land(netsuite, "transaction", pages(tran("")))
    before = loader.execute("select * from ops.quarantine").fetchall()
    with pytest.raises(LandingError, match=r"netsuite\.transaction, record"):
        replay.replay_corrected(before[0][0], payload, by="J. Doe", note="a try")
    assert loader.execute("select * from ops.quarantine").fetchall() == before
    assert loader.execute("select count(*) from ops.load").fetchone() == (1,)


# --- cases, filters, waivers ------------------------------------------------------------------------------------------


def test_an_id_names_its_case_also_after_the_record_came_again(netsuite: Connection, rows: Rows) -> None:
    land(netsuite, "transaction", pages(tran("1", "x")))
    (first,) = quarantine.list()
    land(netsuite, "transaction", pages(tran("1", "x")))
    replay.replay("netsuite", "transaction")
    assert rows("select status, case_id from ops.quarantine order by quarantine_id") == [
        ("superseded", None), ("superseded", first.quarantine_id), ("open", first.quarantine_id)]  # fmt: skip
    assert quarantine.get(first.quarantine_id).status == "open"
    assert quarantine.waive([first.quarantine_id], "test data", "J. Doe") == 1
    assert rows("select status, note, resolved_by from ops.quarantine order by quarantine_id desc limit 1") == [
        ("waived", "test data", "J. Doe")]  # fmt: skip
    assert land(netsuite, "transaction", pages(tran("1", "x"))).quarantined == 1
    assert quarantine.list() == (), "the waiver holds"


def test_waiver_holds_for_its_reason_only(netsuite: Connection, loader: psycopg.Connection) -> None:
    body = pages(tran("1", "x"), tran("1", "y"))
    land(netsuite, "transaction", body)
    quarantine.waive(Filter(connection="netsuite"), "known", "J. Doe")
    assert statuses(loader) == {"waived": 2}
    fix(netsuite, "x", "1"), fix(netsuite, "y", "2")
    land(netsuite, "transaction", body)
    assert statuses(loader) == {"waived": 2, "open": 1}, "two versions with one stamp are another reason"


def test_filters_and_summary(netsuite: Connection, loader: psycopg.Connection) -> None:
    land(netsuite, "transaction", pages(tran("1", "x"), tran("2", "1" * 20), tran("3", "y"), tran("4", trandate="?")))
    assert {e.record_key for e in quarantine.find(Filter(reason_code="type_error"))} == {"1", "3", "4"}
    assert {e.record_key for e in quarantine.find(Filter(field="trandate"))} == {"4"}
    assert quarantine.find(Filter(since=datetime.now(UTC) + timedelta(days=1))) == ()
    assert quarantine.find(Filter(connection="salesforce")) == ()
    assert [(s["reason_code"], s["field"], s["records"]) for s in quarantine.summary(Filter())] == [
        ("type_error", "foreigntotal", 2), ("out_of_range", "foreigntotal", 1), ("type_error", "trandate", 1)
    ]  # fmt: skip
    with pytest.raises(LandingError, match="names records"):
        quarantine.waive(Filter(), "all of it", "J. Doe")
    assert quarantine.waive(Filter(stream="transaction", field="trandate"), "a typo", "J. Doe") == 1
    with pytest.raises(LandingError, match="no quarantined record 999"):
        quarantine.get(999)


# --- decisions as a file ----------------------------------------------------------------------------------------------


def filled(path: Path, answers: dict[str, tuple[str, str, str]]) -> None:
    """Fill in {key: (decision, mapped_value, note)}."""
    with path.open(newline="", encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    assert lines
    for line in lines:
        line["decision"], line["mapped_value"], line["note"] = answers.get(line["key"], ("", "", ""))
    with path.open("w", newline="", encoding="utf-8") as handle:
        out = csv.DictWriter(handle, decisions.COLUMNS)
        out.writeheader()
        out.writerows(lines)


def test_decisions_go_out_and_come_back(netsuite: Connection, loader: psycopg.Connection, tmp_path: Path) -> None:
    bad = [tran("1", "N/A"), tran("2", "ten"), tran("3", "x"), tran("4", "=1+1"), tran("5", "keep")]
    land(netsuite, "transaction", pages(*bad))
    path = tmp_path / "decisions.csv"
    assert decisions.write(path, quarantine.list()) == 5
    assert path.stat().st_mode & 0o077 == 0, "it holds refused values"
    assert "'=1+1" in path.read_text(), "a spreadsheet must not run a vendor's text"
    replay.replay("netsuite", "transaction")  # the entries have new ids now; the file's still name their cases
    filled(path, {
        "1": ("null", "", "nothing"), "2": ("map", "10.00", "the word"), "3": ("waive", "", "test"),
        "4": ("map", "2", "said the vendor"),
    })  # fmt: skip
    lines = decisions.read(path)
    done = decisions.apply(lines, "J. Doe")
    assert done == decisions.Applied(mapped=3, waived=1, replayed=3, still_refused=0, settled=0)
    assert current(loader, "netsuite__transaction", "foreigntotal") == {"1": None, "2": Decimal(10), "4": Decimal(2)}
    assert [e.record_key for e in quarantine.list()] == ["5"]
    before = loader.execute("select count(*) from ops.quarantine").fetchone()
    assert decisions.apply(decisions.read(path), "J. Doe") == decisions.Applied(0, 0, 0, 0, 4)
    assert loader.execute("select count(*) from ops.quarantine").fetchone() == before


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("sell", "", "why"), "no decision 'sell'"),
        (("map", "zero", "why"), "does not fit amount"),
        (("map", "1", ""), "needs a reason"),
        (("waive", "1", "why"), "takes no mapped_value"),
    ],
)
def test_file_with_a_wrong_line_does_nothing(
    netsuite: Connection, loader: psycopg.Connection, tmp_path: Path, answer: tuple[str, str, str], said: str
) -> None:
    land(netsuite, "transaction", pages(tran("1", "N/A"), tran("2", "ten")))
    path = tmp_path / "decisions.csv"
    decisions.write(path, quarantine.list())
    filled(path, {"1": answer, "2": ("waive", "", "test")})
    with pytest.raises(LandingError, match=r"decisions\.csv:3") as caught:
        decisions.read(path)
    assert said in str(caught.value)
    assert statuses(loader) == {"open": 2}


# --- the law ----------------------------------------------------------------------------------------------------------

RECORD = st.fixed_dictionaries({
    "id": st.sampled_from(["1", "2", "3", "4", ""]),
    "foreigntotal": st.sampled_from(["1.10", "2.20", 3, "x", "y", None]),
    "trandate": st.sampled_from(["2025-01-02", "2025-01-02", "2025-01-02", "?"]),
    "lastmodifieddate": st.sampled_from(["2025-01-02 10:00:00", "2025-01-03 10:00:00"]),
    "memo": st.sampled_from(["a", "b"]),
})  # fmt: skip
LOADS = st.lists(st.lists(RECORD, min_size=1, max_size=5), min_size=1, max_size=3)
ACTIONS = st.lists(st.sampled_from(["map x", "map y", "replay", "waive", "revoke", "again"]), max_size=5)


def assert_law(db: psycopg.Connection) -> None:
    """Every load adds up in rows and sums; what it quarantined is entries of it, each in exactly one state."""
    for batch, received, landed, unchanged, replayed, refused, totals in db.execute(
            "select batch_id, received, landed, unchanged, replayed, quarantined, control_totals from ops.load "
            "where state = 'committed'").fetchall():
        assert received == landed + unchanged + replayed + refused
        entries = db.execute("select status, amounts from ops.quarantine where batch_id = %s", (batch,)).fetchall()
        assert len(entries) == refused
        assert {status for status, _ in entries} <= {"open", "replayed", "waived", "superseded"}
        sums = {o: Decimal(v) for o, v in totals.get("foreigntotal", {"received": 0, "quarantined": 0}).items()}
        assert sums.pop("received") == sum(sums.values())
        assert sums["quarantined"] == sum(Decimal(amounts.get("foreigntotal", "0")) for _, amounts in entries)
    assert db.execute("select count(*) from ops.quarantine where status = 'open' and resolved_at is not null "
                      "or status <> 'open' and (resolved_at is null or note is null)").fetchone() == (0,)
    assert db.execute(
        "select count(*) from (select coalesce(case_id, quarantine_id), payload from ops.quarantine "
        "where status = 'open' group by 1, 2, batch_id having count(distinct reason_code) > 1) x").fetchone() == (0,)


@pytest.mark.parametrize(
    "fault",
    [
        "update ops.quarantine set amounts = '{}'",
        "delete from ops.quarantine",
        "update ops.load set landed = landed + 1",
        "update ops.quarantine set status = 'waived'",
    ],
)
def test_the_law_can_fail(netsuite: Connection, loader: psycopg.Connection, fault: str) -> None:
    land(netsuite, "transaction", pages(tran("1", "5", trandate="?"), tran("2")))
    assert_law(loader)
    with connect("owner", autocommit=True) as db:
        db.execute(fault)
    with pytest.raises(AssertionError):
        assert_law(loader)


def state(db: psycopg.Connection) -> tuple[list, list]:
    return (
        db.execute("select _key, foreigntotal, memo, _extra from raw.netsuite__transaction "
                   "where _superseded_batch is null and not _is_deleted order by 1").fetchall(),
        sorted(map(str, db.execute(
            "select record_key, payload, reason_code from ops.quarantine where status = 'open'").fetchall())),
    )


def run(netsuite: Connection, records: list[dict]) -> LoadResult:
    return land(netsuite, "transaction", [json_page("transaction", records)])


@hypothesis_settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads=LOADS, actions=ACTIONS)
def test_law_of_conservation_through_every_decision(
    netsuite: Connection, loader: psycopg.Connection, loads: list[list[dict]], actions: list[str]
) -> None:
    with connect("owner", autocommit=True) as db:
        db.execute("truncate raw.netsuite__transaction, ops.load, ops.quarantine, ops.quarantine_mapping, "
                   "ops.quarantine_mapping_use cascade")
    for records in loads:
        assert run(netsuite, records).received == len(records)
        assert_law(loader)
    for action in actions:
        if action.startswith("map"):
            fix(netsuite, action[-1], "5.00")
        elif action == "replay":
            replay.replay("netsuite", "transaction")
        elif action == "waive" and (found := quarantine.list()):
            quarantine.waive([found[0].quarantine_id], "random", "the law")
        elif action == "revoke" and (found := mapping.active(loader)):
            mapping.revoke(found[0].mapping_id, by="the law", reason="random")
        elif action == "again":
            run(netsuite, loads[-1])
        assert_law(loader)
    replay.replay("netsuite", "transaction")
    assert_law(loader)
    before = state(loader)
    result = replay.replay("netsuite", "transaction")
    assert result is None or (result.landed, result.quarantined) == (0, result.received)
    assert state(loader) == before, "replaying twice changes nothing"
