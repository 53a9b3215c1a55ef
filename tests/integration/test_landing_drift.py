"""The vendor changed something: nothing received is dropped, nothing is executed, the counts add up, and it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pyarrow.parquet as pq
import pytest

from tests.integration import drifting
from tests.integration.conftest import Rows, stream_of
from tests.integration.drifting import COUNT, FORMS, STREAM, Change, Record, drop, json_pages, land, name, put, rename
from tests.integration.drifting import sounds as records_of
from tests.unit.test_landing_names import HOSTILE
from tieout.errors import LandingError
from tieout.extract import Page
from tieout.landing import drift
from tieout.landing.archive import pages as archived_pages
from tieout.landing.ddl import ensure_tables
from tieout.landing.land import LoadResult, reland
from tieout.landing.names import visible
from tieout.spec import Column, Company, Connection
from tieout.warehouse import connect

pytestmark = pytest.mark.usefixtures("table", "clean_raw", "archive")
TABLE = "raw.netsuite__drifting"


@pytest.fixture(scope="module")
def table(warehouse: dict[str, str]) -> Iterator[None]:
    """The raw table of the drifting stream."""
    with connect("owner") as db:
        ensure_tables(db, [STREAM])
    yield
    with connect("owner") as db:
        db.execute(f"drop table {TABLE}")


@pytest.fixture(autouse=True)
def as_declared(table: None) -> Iterator[None]:
    """Columns that a test adds are gone afterwards."""
    yield
    with connect("owner") as db:
        db.execute(f"alter table {TABLE} drop column if exists fresh, drop column if exists \"select\", "
                   "drop column if exists \"user\", drop column if exists \"order\"")


def assert_nothing_is_lost(db: psycopg.Connection, result: LoadResult, sent: list[Record]) -> None:
    """Counts and sums add up, and each value received is in a column, in `_extra` or in a quarantined payload; and the
    archive holds every record.
    """
    assert result.received == result.landed + result.unchanged + result.replayed + result.quarantined == len(sent)
    for sums in result.control_totals.values():
        amounts = {outcome: Decimal(text) for outcome, text in sums.items()}
        assert amounts.pop("received") == sum(amounts.values())
    refused = [json.loads(payload) for (payload,) in db.execute(
        "select payload from ops.quarantine where batch_id = %s", (result.batch_id,)).fetchall()]
    assert len(refused) == result.quarantined
    landed = {key: (row, extra or {}) for key, row, extra in db.execute(
        f"select _key, to_jsonb(t), _extra from {TABLE} t where _batch_id = %s", (result.batch_id,)).fetchall()}
    columns = {column.field: column for column in STREAM.columns}
    for record in sent:
        if record in refused:
            continue
        row, extra = landed[str(record["Id"])]
        for word, value in record.items():
            if word in columns:
                column = columns[word]
                assert (row[column.name] is None) == (value is None), f"{word} is lost"
                if column.type == "json" and value is not None:
                    assert row[column.name] == value
                elif column.type in ("text", "integer") and value is not None:
                    assert str(row[column.name]) == str(value), word
            elif value is not None:
                assert extra[f"_{word}" if word.startswith("_tieout") else word] == value
    if result.archive_uri is None:  # not one record could be read: the quarantine holds them all, as received
        assert result.received == result.quarantined == len(sent)
        return
    archive = [record for page in archived_pages(result.archived, "Drifting") for record in json.loads(page.body)]
    assert archive == sent


class Case(NamedTuple):
    """A change, the drift that is told (kind → names), and how many of the COUNT records are refused."""

    change: Change
    told: dict[str, Any]
    refused: int = 0
    options: dict[str, Any] = {}


CASES: dict[str, Case] = {
    "nothing changed": Case(put(), {}),
    "new field": Case(put(Fresh=1.5), {"new_fields": ["Fresh"]}),
    "new nested field": Case(put(Fresh={"deep": {"er": [1, None]}}), {"new_fields": ["Fresh"]}),
    "vanished": Case(drop("Memo"), {"missing_fields": ["Memo"]}),
    "vanished amount": Case(drop("Amount"), {"missing_fields": ["Amount"]}),
    "vanished optional": Case(drop("Note"), {"vanished_optional": ["Note"]}),
    "renamed": Case(rename("Memo", "Remark"), {"missing_fields": ["Memo"], "new_fields": ["Remark"]}),
    "text to number": Case(put(Memo=12), {"reformed": {"Memo"}}),
    "number to text that fits": Case(put(Qty="5"), {"reformed": {"Qty"}}),
    "number to text that does not": Case(put(Qty="five"), {"reformed": {"Qty"}, "retyped": {"Qty"}}, COUNT),
    "amount to number": Case(put(Amount=10.5), {"reformed": {"Amount"}}),
    "amount with a currency sign": Case(put(Amount="€ 10.50"), {"retyped": {"Amount"}}, COUNT),
    "amount with a decimal comma": Case(put(Amount="10,50"), {"retyped": {"Amount"}}, COUNT),
    "date to timestamp at midnight": Case(put(Day="2025-01-02T00:00:00Z"), {}),
    "date to timestamp": Case(put(Day="2025-01-02T09:30:00Z"), {"retyped": {"Day"}}, COUNT),
    "date to local form": Case(put(Day="02.01.2025"), {"retyped": {"Day"}}, COUNT),
    "date to epoch": Case(put(Day=1735776000), {"reformed": {"Day"}, "retyped": {"Day"}}, COUNT),
    "flag to text that fits": Case(put(Flag="true"), {"reformed": {"Flag"}}),
    "flag to text that does not": Case(put(Flag="yes"), {"reformed": {"Flag"}, "retyped": {"Flag"}}, COUNT),
    "scalar to object": Case(put(Memo={"v": "m"}), {"reformed": {"Memo"}, "retyped": {"Memo"}}, COUNT),
    "scalar to list": Case(put(Memo=["m"]), {"reformed": {"Memo"}, "retyped": {"Memo"}}, COUNT),
    "object to scalar": Case(put(Doc="plain"), {"reformed": {"Doc"}}),
    "object to list": Case(put(Doc=[1, 2]), {"reformed": {"Doc"}}),
    "integer beyond 32 bits": Case(put(Qty=2**40), {}),
    "integer beyond 64 bits": Case(put(Qty=2**70), {"retyped": {"Qty"}}, COUNT),
    "eighteen decimals": Case(put(Amount="10.123456789012345678"), {}),
    "nineteen decimals": Case(put(Amount="10.1234567890123456789"), {"retyped": {"Amount"}}, COUNT),
    "thirty digits": Case(put(Amount="9" * 30), {"retyped": {"Amount"}}, COUNT),
    "rate with forty digits": Case(put(Ratio="0." + "3" * 40), {}),
    "text of 100,000 letters": Case(put(Memo="x" * 100_000), {}),
    "re-cased": Case(rename("Amount", "AMOUNT"), {"missing_fields": ["Amount"], "respelled": {"AMOUNT"}}),
    "both spellings": Case(put(AMOUNT="99.00"), {"respelled": {"AMOUNT"}}),
    "cyrillic twin": Case(name("\u0410mount", "99.00"), {"respelled": {"\u0410mount"}}),
    "full-width twin": Case(name("\uff21mount", "99.00"), {"respelled": {"\uff21mount"}}),
    "zero-width twin": Case(name("Amo\u200bunt", "99.00"), {"respelled": {"Amo\\u200bunt"}}),
    "null everywhere": Case(put(Memo=None), {"emptied": {"Memo"}}),
    "amount null everywhere": Case(put(Amount=None), {"emptied_vital": {"Amount"}}),
    "cursor null everywhere": Case(put(Changed=None), {"emptied_vital": {"Changed"}}),
    "cursor vanished": Case(drop("Changed"), {"missing_fields": ["Changed"]}),
    "left out by a vendor that omits nulls": Case(drop("Memo"), {"emptied": {"Memo"}}, 0, {"omits_nulls": True}),
    "key vanished": Case(drop("Id"), {"missing_fields": ["Id"]}, COUNT),
    "key null": Case(put(Id=None), {"emptied": {"Id"}}, COUNT),
    "key to object": Case(put(Id={"id": 1}), {"rekeyed": {"Id"}, "retyped": {"Id"}}, COUNT),
    "unknown code": Case(put(Memo="Zzz"), {}),
    "our own name": Case(name("_key", "77"), {"new_fields": ["_key"]}),
    "our reserved word": Case(name("_tieout_mapped", "77"), {"new_fields": ["_tieout_mapped"]}),
    "jinja in values": Case(put(Memo="{{ 7 * 7 }}{% set x = 1 %}", Note="{# #}"), {}),
    "sql in values": Case(put(Memo="'; drop table raw.netsuite__drifting; --"), {}),
    "undeclared number without end": Case(
        name("Huge", 1), {"new_fields": ["Huge"]}, COUNT, {"replace": (b'"Huge": 1', b'"Huge": 1e999999')}),
    "undeclared nul": Case(put(Fresh="a\x00b"), {"new_fields": ["Fresh"]}, COUNT),
    "undeclared half character": Case(put(Fresh="\ud800"), {}, COUNT),  # no record could be read
}  # fmt: skip


def told(result: LoadResult) -> dict[str, Any]:
    """The drift without its details."""
    return {kind: set(found) if isinstance(found, dict) else found for kind, found in result.drift.items()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_json(loader: psycopg.Connection, case: Case) -> None:
    assert land(json_pages(records_of())).drift == {}
    options = dict(case.options)
    old, new = options.pop("replace", (b"", b""))
    sent = [case.change(record) for record in records_of(hour=11)]
    pages = json_pages(sent, **options)
    pages = [Page("Drifting", page.body.replace(old, new) if old else page.body, **options) for page in pages]
    result = land(pages)
    assert told(result) == case.told
    assert result.quarantined == case.refused
    if not old:
        assert_nothing_is_lost(loader, result, sent)
    assert result.received == result.landed + result.quarantined + result.unchanged
    assert loader.execute("select drift from ops.load where batch_id = %s", (result.batch_id,)).fetchone() == (
        result.drift,)
    assert {one.field for one in drift.changes(loader)} >= {word for names in case.told.values() for word in names}


TABLE_CASES: dict[str, Case] = {
    "new field": Case(put(Fresh="1.10"), {"new_fields": ["Fresh"]}),
    "vanished": Case(drop("Memo"), {"missing_fields": ["Memo"]}),
    "vanished optional": Case(drop("Note"), {"vanished_optional": ["Note"]}),
    "renamed": Case(rename("Memo", "Remark"), {"missing_fields": ["Memo"], "new_fields": ["Remark"]}),
    "re-cased": Case(rename("Amount", "AMOUNT"), {"missing_fields": ["Amount"], "respelled": {"AMOUNT"}}),
    "amount that does not fit": Case(put(Amount="ten"), {"retyped": {"Amount"}}, COUNT),
    "null everywhere": Case(put(Memo=None), {"emptied": {"Memo"}}),
    "amount null everywhere": Case(put(Amount=None), {"emptied_vital": {"Amount"}}),
    "key vanished": Case(drop("Id"), {"missing_fields": ["Id"]}, COUNT),
    "hostile name": Case(name('x"; drop table raw.x; --', "1"), {"new_fields": ['x"; drop table raw.x; --']}),
    "line break in a name": Case(name("a\nb", "1"), {"new_fields": ["a\\u000ab"]}),
}  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "arrow"])
@pytest.mark.parametrize("case", TABLE_CASES.values(), ids=TABLE_CASES)
def test_csv_and_arrow(loader: psycopg.Connection, form: str, case: Case) -> None:
    def pages(records: list[Record]) -> list[Page]:
        return FORMS[form]([{**record, "Doc": "[1]"} for record in records])

    assert land(pages(records_of())).drift == {}
    result = land(pages([case.change(record) for record in records_of(hour=11)]))
    assert told(result) == case.told
    assert (result.received, result.quarantined) == (COUNT, case.refused)
    archive = pq.read_table(result.archive_uri.removeprefix("file://"))
    assert set(archive["record"].to_pylist()[0]) == set(case.change({**records_of()[0], "Doc": "[1]"}))


ARROW_CASES: dict[str, Case] = {
    "day as days since 1970": Case(put(Day=20_090), {"reformed": {"Day"}, "retyped": {"Day"}}, COUNT),
    "stamp as microseconds": Case(
        put(Changed=1_735_689_600_000), {"reformed": {"Changed"}, "retyped": {"Changed"}}, COUNT),
    "structure for json": Case(put(Doc={"a": [1, None], "b": {"c": 1.5}}), {"reformed": {"Doc"}}),
    "list for json": Case(put(Doc=[1, 2]), {"reformed": {"Doc"}}),
    "float that is no number": Case(put(Amount=float("nan")), {"reformed": {"Amount"}, "retyped": {"Amount"}}, COUNT),
    "undeclared float that is no number": Case(put(Fresh=float("inf")), {"new_fields": ["Fresh"]}),
    "undeclared structure": Case(put(Fresh={"a": 1}), {"new_fields": ["Fresh"]}),
    "key as a float": Case(lambda record: {**record, "Id": float(record["Id"])}, {"rekeyed": {"Id"}}),
    "json text that is none": Case(put(Doc="NaN"), {"retyped": {"Doc"}}, COUNT),
}  # fmt: skip


@pytest.mark.parametrize("case", ARROW_CASES.values(), ids=ARROW_CASES)
def test_arrow_types(loader: psycopg.Connection, case: Case) -> None:
    land(FORMS["arrow"]([{**record, "Doc": "[1]"} for record in records_of()]))
    result = land(FORMS["arrow"]([case.change({**record, "Doc": "[1]"}) for record in records_of(hour=11)]))
    assert told(result) == case.told
    assert (result.received, result.quarantined) == (COUNT, case.refused)
    if case.told == {"reformed": {"Doc"}}:
        sent = case.change({})["Doc"]
        found = loader.execute(f"select distinct doc from {TABLE} where _superseded_batch is null").fetchall()
        assert found == [(sent,)]
    if "Fresh" in str(case.told):
        (kept,) = loader.execute(f"select distinct _extra->'Fresh' from {TABLE} where _batch_id = %s",
                                 (result.batch_id,)).fetchall()
        assert kept[0] in ({"a": 1}, "inf")


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_land_in_extra_and_nothing_is_executed(loader: psycopg.Connection, word: str) -> None:
    before = loader.execute("select count(*) from pg_tables where schemaname in ('raw', 'ops')").fetchone()
    sent = [name(word, "{{ 7 * 7 }}")(record) for record in records_of()]
    result = land(json_pages(sent))
    refused = COUNT if "\x00" in word else 0  # jsonb cannot hold the name: the payload does
    assert result.quarantined == refused
    if not refused:
        assert_nothing_is_lost(loader, result, sent)
    assert visible(word) in [*result.drift.get("new_fields", ()), *result.drift.get("respelled", ())]
    assert loader.execute("select count(*) from pg_tables where schemaname in ('raw', 'ops')").fetchone() == before


@pytest.mark.parametrize("word", [word for word in HOSTILE.values() if word])
def test_hostile_names_can_be_declared(loader: psycopg.Connection, word: str) -> None:
    memo = next(column for column in STREAM.columns if column.name == "memo")
    stream = drifting.with_columns(memo.model_copy(update={"field": word}), without="memo")
    result = land(json_pages([rename("Memo", word)(record) for record in records_of()]), stream=stream)
    assert (result.landed, result.drift) == (COUNT, {})
    assert loader.execute(f"select count(distinct memo) from {TABLE}").fetchone() == (COUNT,)


def test_reserved_words_can_be_columns(loader: psycopg.Connection) -> None:
    words = ("select", "user", "order")
    stream = drifting.with_columns(*(Column(name=word, type="text", field=word) for word in words))
    with connect("owner") as db:
        assert len(ensure_tables(db, [stream])) == 3
    for hour in (10, 11):
        land(json_pages([put(select="a", user="b", order="c")(r) for r in records_of(hour)]), stream=stream)
    assert loader.execute(
        f'select distinct "select", "user", "order" from {TABLE} where _superseded_batch is null'
    ).fetchall() == [("a", "b", "c")]


def test_field_that_appears_on_page_seven(loader: psycopg.Connection) -> None:
    sent = [put(Seventh=f"v{n}")(record) if n >= 12 else record for n, record in enumerate(records_of())]
    result = land(json_pages(sent, pages=10))
    assert told(result) == {"new_fields": ["Seventh"]}
    assert_nothing_is_lost(loader, result, sent)


def test_null_on_one_page_only_is_no_drift(loader: psycopg.Connection) -> None:
    land(json_pages(records_of()))
    sent = [put(Memo=None)(record) if n < 10 else record for n, record in enumerate(records_of(11))]
    result = land(json_pages(sent, pages=2))
    assert result.drift == {}
    assert_nothing_is_lost(loader, result, sent)


def test_key_as_a_number_is_the_same_key(loader: psycopg.Connection) -> None:
    land(json_pages(records_of()))
    result = land(json_pages([{**record, "Id": int(record["Id"])} for record in records_of()]))
    assert told(result) == {"reformed": {"Id"}}
    assert (result.landed, result.unchanged) == (0, COUNT)


def test_key_as_a_decimal_would_count_twice_and_is_told(loader: psycopg.Connection) -> None:
    land(json_pages(records_of()))
    result = land(json_pages([{**record, "Id": float(record["Id"])} for record in records_of()]))
    assert told(result) == {"rekeyed": {"Id"}}
    assert result.drift["rekeyed"] == {"Id": "text → decimal number"}


def test_key_that_became_a_long_text_is_refused_not_a_dead_end(loader: psycopg.Connection) -> None:
    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))
    result = land(json_pages([*records_of(), {**drifting.sound(99), "Id": noise}]))
    assert (result.landed, result.quarantined) == (COUNT, 1)
    assert loader.execute("select reason_code, reason from ops.quarantine").fetchall() == [
        ("out_of_range", "id: the key has 9,000 bytes")
    ]


def test_name_twice_in_a_record(loader: psycopg.Connection) -> None:
    body = json.dumps(records_of(count=1)).encode().replace(b'"Qty": 5', b'"Qty": 4, "Qty": 5')
    result = land([Page("Drifting", body)])
    assert result.drift == {"twice": ["Qty"]}
    assert loader.execute(f"select qty from {TABLE}").fetchall() == [(5,)]
    (page,) = archived_pages(result.archived, "Drifting")
    assert b'"Qty": 4, "Qty": 5' in page.body


def test_one_refused_record_is_no_retyped_field(loader: psycopg.Connection) -> None:
    sent = [put(Qty="five")(record) if n == 0 else record for n, record in enumerate(records_of())]
    result = land(json_pages(sent))
    assert (result.quarantined, result.drift) == (1, {})


def test_notices_of_deletion_say_nothing_about_fields(loader: psycopg.Connection) -> None:
    land(json_pages(records_of()))
    notices = [Page("Drifting", json.dumps([{"Id": record["Id"]} for record in records_of()]).encode(), deleted=True)]
    assert land(notices).drift == {}
    assert land(json_pages(records_of(11))).drift == {}


def test_few_nulls_in_a_row_are_chance(loader: psycopg.Connection) -> None:
    """Half of the memos were empty before: three empty ones in a row say nothing, thirty do."""
    land(json_pages([put(Memo=None)(r) if n % 2 else r for n, r in enumerate(records_of(count=100))]))
    assert land(json_pages([put(Memo=None)(r) for r in records_of(11, count=3)])).drift == {}
    assert told(land(json_pages([put(Memo=None)(r) for r in records_of(12, count=30)]))) == {"emptied": {"Memo"}}


def test_the_first_load_has_nothing_to_compare_with(loader: psycopg.Connection) -> None:
    assert land(json_pages([put(Memo=None, Note=None)(r) for r in records_of()])).drift == {}


# --- the spec changed -------------------------------------------------------------------------------------------------


def test_declared_type_that_changed_is_refused_with_what_to_do(table: None) -> None:
    qty = Column(name="qty", type="amount", field="Qty")
    said = r"raw.netsuite__drifting.qty is bigint and now declared as numeric"
    with connect("owner") as db, pytest.raises(LandingError, match=said) as caught:
        ensure_tables(db, [drifting.with_columns(qty, without="qty")])
    assert "declare it under a new name" in str(caught.value)


def test_field_declared_after_its_history_is_filled_from_the_archive(loader: psycopg.Connection) -> None:
    sent = [put(Fresh=f"{n}.10")(record) for n, record in enumerate(records_of())]
    first = land(json_pages(sent))
    assert told(first) == {"new_fields": ["Fresh"]}
    wider = drifting.with_columns(Column(name="fresh", type="amount", field="Fresh"))
    with connect("owner") as db:
        assert ensure_tables(db, [wider]) == ["added raw.netsuite__drifting.fresh"]
    assert loader.execute(f"select count(fresh), count(_extra) from {TABLE}").fetchone() == (0, COUNT)
    (again,) = reland(drifting.connection_of(wider), [first.batch_id])
    assert (again.landed, again.unchanged, again.drift) == (COUNT, 0, {})
    assert loader.execute(
        f"select sum(fresh), count(_extra), count(*) from {TABLE} where _superseded_batch is null"
    ).fetchone() == (Decimal("192.00"), 0, COUNT)
    (twice,) = reland(drifting.connection_of(wider), [first.batch_id])
    assert (twice.landed, twice.unchanged) == (0, COUNT)


def test_column_taken_out_of_the_spec_keeps_its_history_and_its_values_go_to_extra(
    loader: psycopg.Connection,
) -> None:
    land(json_pages(records_of()))
    narrower = drifting.with_columns(without="memo")
    result = land(json_pages(records_of(11)), stream=narrower)
    assert told(result) == {"new_fields": ["Memo"]}
    assert loader.execute(f"select count(memo), count(_extra->>'Memo') from {TABLE}").fetchone() == (COUNT, COUNT)


def test_archived_vendor_pages_land_again_unchanged(
    netsuite: Connection, salesforce: Connection, loader: psycopg.Connection
) -> None:
    """What belongs to the protocol (links, attributes) is in the archive and is no data, there and then."""
    item = {"id": "1", "itemid": "A", "links": [], "lastmodifieddate": "2025-01-02 10:00:00"}
    from tests.integration.conftest import land as land_of
    from tests.integration.fake_extractor import json_page

    first = land_of(netsuite, "item", [json_page("item", [item], noise=("links",))])
    (again,) = reland(netsuite, [first.batch_id])
    assert (again.landed, again.unchanged, again.drift) == (0, 1, {})
    user = {column.field: None for column in stream_of(salesforce, "User").columns}
    records = [{"attributes": {"type": "User"}, **user, "Id": "1", "Name": word} for word in ("a", "a")]
    page = Page("User", json.dumps({"records": records}).encode(), records="records", noise=("attributes",))
    twice = land_of(salesforce, "User", [page], full=True)
    assert (twice.landed, twice.replayed, twice.drift) == (1, 1, {}), "a key twice reads the archive"
    assert loader.execute("select _extra from raw.salesforce__user").fetchall() == [(None,)]
    (again,) = reland(salesforce, [twice.batch_id])
    assert (again.landed, again.drift) == (0, {})


# --- what people see --------------------------------------------------------------------------------------------------


def test_status_says_what_changed_since_when_and_what_to_do(loader: psycopg.Connection) -> None:
    land(json_pages(records_of()))
    since = land(json_pages([drop("Memo")(put(Fresh=1)(r)) for r in records_of(11)]))
    land(json_pages([drop("Memo")(r) for r in records_of(12)]))
    changes = {one.kind: one for one in drift.changes(loader)}
    assert set(changes) == {"missing_fields", "new_fields"}
    missing = changes["missing_fields"]
    assert (missing.connection, missing.stream, missing.field) == ("netsuite", "Drifting", "Memo")
    assert (missing.since_batch, missing.loads) == (since.batch_id, 2)
    assert "optional" in missing.to_do
    assert changes["new_fields"].loads == 1


def test_what_was_mended_is_said_no_more(loader: psycopg.Connection) -> None:
    land(json_pages(records_of()))
    land(json_pages([drop("Memo")(r) for r in records_of(11)]))
    assert [one.kind for one in drift.changes(loader)] == ["missing_fields"]
    later = {"start": drifting.END, "end": drifting.END.replace(month=7)}
    land(json_pages(records_of(12)), **later)
    assert [one.kind for one in drift.changes(loader)] == ["missing_fields"], "the window that lacked it was not read"
    land(json_pages(records_of(13)))
    assert drift.changes(loader) == []


def test_declared_meanwhile_is_said_no_more(loader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    land(json_pages([put(Fresh=1)(r) for r in records_of()]))
    wider = drifting.with_columns(Column(name="fresh", type="amount", field="Fresh"))
    company = Company.model_construct(connections={"netsuite": drifting.connection_of(wider)})
    assert drift.changes(loader, company) == []
    assert len(drift.changes(loader)) == 1


def test_hostile_names_are_harmless_on_the_terminal(
    loader: psycopg.Connection, capsys: pytest.CaptureFixture, rows: Rows
) -> None:
    from dataclasses import asdict

    from rich.console import Console

    from tieout import cli_status

    words = [word for word in HOSTILE.values() if "\x00" not in word]
    land(json_pages([{**record, **dict.fromkeys(words, "v")} for record in records_of()]))
    out = Console(width=400, force_terminal=False)
    cli_status._drift(out, {"drift": [asdict(each) for each in drift.changes(loader)]})
    shown = capsys.readouterr().out
    assert "[/red] [bold]" in shown and "{{ run_query" in shown
    assert "\x1b" not in shown and "\u202e" not in shown and "\u200b" not in shown


def test_hostile_names_are_text_in_the_gate_and_its_pages(loader: psycopg.Connection, tmp_path: Path) -> None:
    """Great Expectations renders with Jinja, formats with braces, and writes HTML: a name is none of these."""
    from tieout.quality import engine, suites

    words = ["{{ 7 * 7 }}", "{% raw %}", "<script>alert(1)</script>", "$name ${x}", ":param", "{batch}", "'; --"]
    land(json_pages([{**record, **dict.fromkeys(words, "v")} for record in records_of()]))
    (suite,) = [one for one in suites.load(stage="landing") if one.table == "ops.load"]
    results = {one.expectation: one for one in engine.evaluate([suite], 1, docs=tmp_path)}
    assert all(one.evaluated for one in results.values())
    new = results["no_field_is_new"]
    assert not new.passed and {row["field"] for row in new.sample_keys} == set(words)
    written = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.html"))
    assert written and "<script>alert(1)</script>" not in written
