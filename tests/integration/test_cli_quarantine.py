"""`tieout quarantine` and `tieout status` at work: the example of docs/quarantine.md, verb by verb."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import clear_settings, demo_company
from tests.integration.conftest import Rows, land
from tests.integration.fake_extractor import json_page
from tieout import cli, place
from tieout.landing import quarantine
from tieout.spec import Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive", "company")
Tieout = Callable[..., str]


@pytest.fixture
def company(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warehouse: dict[str, str]
) -> Iterator[None]:
    """A place of our own with the demo's connections, on the session's warehouse."""
    path = tmp_path / "tieout.yml"
    path.write_text(json.dumps(demo_company().model_dump(mode="json", exclude={"connections": {"__all__": {"name"}}})))
    monkeypatch.setenv("TIEOUT_CONFIG", str(path))
    clear_settings()
    monkeypatch.setattr(place, "find", lambda: place.Place("own", tmp_path, embedded=False))
    monkeypatch.setattr(place, "enter", lambda here: None)
    monkeypatch.setattr(place, "exists", lambda here: True)
    yield
    monkeypatch.undo()
    clear_settings()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if h.get_name() == "tieout"]:
        root.removeHandler(handler)


@pytest.fixture
def tieout(capfd: pytest.CaptureFixture) -> Tieout:
    """Run a verb of `tieout quarantine`; what it printed."""

    def run(*words: str, code: int = 0, verb: str = "quarantine") -> str:
        capfd.readouterr()
        assert cli.main([verb, *words]) == code
        out, err = capfd.readouterr()
        return out if code == 0 else err

    return run


SECRET = "Maria Musterfrau"


@pytest.fixture
def three(netsuite: Connection) -> list[int]:
    """Three refused records, as in the documentation: an amount, a key that is missing, a test order."""
    stamp = {"lastmodifieddate": "2025-01-02 10:00:00", "memo": SECRET}
    records = [
        {"id": "501", "foreigntotal": "N/A", "trandate": "2025-01-02", **stamp},
        {"id": "", "foreigntotal": "1190.00", "trandate": "2025-01-02", **stamp},
        {"id": "503", "foreigntotal": "1.00", "trandate": "tomorrow", **stamp},
        {"id": "504", "foreigntotal": "10.00", "trandate": "2025-01-02", **stamp},
    ]
    assert land(netsuite, "transaction", [json_page("transaction", records)]).quarantined == 3
    return [e.quarantine_id for e in reversed(quarantine.list())]


def test_the_example_of_the_documentation(tieout: Tieout, three: list[int], tmp_path: Path, rows: Rows) -> None:
    amount, keyless, test_order = map(str, three)
    shown = tieout("list")
    assert "3 records (open)" in shown and "foreigntotal: not a number" in shown
    assert SECRET not in shown and "N/A" not in shown, "the list shows no content"
    assert SECRET not in tieout("list", "--json")
    assert "missing_key" in tieout("summary") and "3 records (open)" in tieout("summary")
    assert SECRET in tieout("show", keyless)

    assert "1 would land, 2 still refused" in tieout("fix", amount, "--to-null", "--dry-run")
    assert rows("select count(*) from ops.quarantine_mapping") == [(0,)]
    fixed = tieout("fix", amount, "--to-null", "--note", "N/A is no amount yet", "--by", "J. Doe")
    assert "mapping " in fixed and "1 replayed: 1 landed, 0 as before, 0 still refused" in fixed
    assert "N/A is no amount yet" in tieout("mappings")

    (tmp_path / "corrected.json").write_text(json.dumps({
        "id": "502", "foreigntotal": "1190.00", "trandate": "2025-01-02", "lastmodifieddate": "2025-01-02 10:00:00",
    }))  # fmt: skip
    corrected = tieout("replay", keyless, "--payload", str(tmp_path / "corrected.json"), "--note", "id by mail")
    assert "1 replayed: 1 landed" in corrected

    assert "would waive 1 records" in tieout("waive", test_order, "--dry-run")
    assert "1 waived" in tieout("waive", test_order, "--note", "a test order", "--by", "J. Doe")
    assert "0 records (open)" in tieout("list")
    assert rows("select status, resolved_by from ops.quarantine where status in ('waived') or resolved_by is not null "
                "order by 1") != []  # fmt: skip
    assert rows("select _key, foreigntotal::text from raw.netsuite__transaction order by 1") == [
        ("501", None), ("502", "1190"), ("504", "10")]  # fmt: skip
    (mapping,) = json.loads(tieout("mappings", "--json"))
    assert mapping["applied"] == 1
    assert "revoked; it let 1 values land" in tieout("revoke", str(mapping["mapping_id"]), "--note", "no more needed")


def test_decisions_as_a_file(tieout: Tieout, three: list[int], tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    assert "3 records in" in tieout("export", str(path))
    text = path.read_text()
    head, *lines = text.splitlines()
    lines = [line[:-2] + ",,test" if ",503," in line else line for line in lines]
    lines = [line.removesuffix(",,,test") + ",waive,,test" if ",503," in line else line for line in lines]
    path.write_text("\n".join([head, *lines]) + "\n")
    assert "1 waive" in tieout("import", str(path), "--dry-run")
    assert "1 waived" in tieout("import", str(path), "--by", "J. Doe")
    assert "2 records (open)" in tieout("list")
    assert json.loads(tieout("import", str(path), "--json"))["settled"] == 1


def test_replay_takes_a_connection_ids_or_says_that_nothing_is_open(tieout: Tieout, three: list[int]) -> None:
    assert "0 would land, 3 still refused" in tieout("replay", "netsuite", "--dry-run")
    assert "1 replayed: 0 landed" in tieout("replay", str(three[0]))
    assert "3 replayed: 0 landed, 0 as before, 3 still refused" in tieout("replay", "netsuite")
    assert "nothing is open" in tieout("replay", "salesforce")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("waive", "1"), 4, "a decision needs a reason"),
        (("waive", "--note", "all"), 4, "a waiver names records"),
        (("fix", "--to", "1", "--note", "x"), 2, "which value?"),
        (("fix", "1", "--note", "x"), 2, "say what lands"),
        (("show", "999"), 4, "no quarantined record 999"),
        (("list", "--since", "soon"), 2, "is not a day"),
        (("list", "--status", "lost"), 2, "no status"),
        (("replay", "1", "netsuite"), 2, "ids of records, or one connection"),
        (("replay", "nowhere"), 2, "no connection 'nowhere'"),
        (("revoke", "7", "--note", "x"), 4, "no mapping 7"),
    ],
)
def test_wrong_use_says_what_to_do(tieout: Tieout, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in tieout(*words, code=code)


def test_a_record_without_a_value_cannot_be_mapped(tieout: Tieout, three: list[int]) -> None:
    assert "no value to map" in tieout("fix", str(three[1]), "--to", "1", "--note", "x", code=2)


def test_status_says_what_changed(tieout: Tieout, netsuite: Connection) -> None:
    record = {"id": "1", "foreigntotal": "1.00", "trandate": "2025-01-02", "lastmodifieddate": "2025-01-02 10:00:00"}
    land(netsuite, "transaction", [json_page("transaction", [{**record, "ForeignTotal": "2.00", "[/b]": "x"}])])
    shown = tieout(verb="status")
    assert "drift" in shown and "respelled" in shown and "ForeignTotal" in shown and "[/b]" in shown
    facts = json.loads(tieout("--json", verb="status"))
    assert {(one["kind"], one["field"]) for one in facts["drift"]} == {
        ("respelled", "ForeignTotal"), ("new_fields", "[/b]")}  # fmt: skip
