"""Packages of data management by the wire: what is asked for, what is taken for whole, and what is not."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import msgspec
import pyarrow as pa
import pytest

from tests.canary import Hunt
from tests.unit.extract_stub import Sleeps, Wire, answer
from tests.unit.test_extract_odata_dynamics import ERP, FULL, finance, granted, opened, stream
from tieout.errors import ConfigError, SchemaError, SourceError, UnsafeLinkError
from tieout.extract import Page, Window, odata_packages, pieces
from tieout.extract.odata_packages import _as_set

ACTION = "/data/DataManagementDefinitionGroups/Microsoft.Dynamics.DataEntities."
STORE = "https://contoso.blob.core.windows.net"
SIGNED = "sv=2019-02-02&sig=SECRET-SIGNATURE-0123456789"
LINES = "CustomerPaymentJournalLines"
TYPES = {"amount": "Edm.Decimal", "rate": "Edm.Decimal", "integer": "Edm.Int64", "timestamp": "Edm.DateTimeOffset",
         "date": "Edm.DateTimeOffset"}
ROW = {"JournalBatchNumber": "B1", "LineNumber": "1.000000", "AccountDisplayValue": 'O"Neill, Ltd', "Voucher": "V1",
       "TransactionDate": "2026-05-04 00:00:00", "CreditAmount": "70.500000", "DebitAmount": "0.000000",
       "ExchangeRate": "100.000000"}


def packages(**words: object) -> dict[str, object]:
    return {"packages": {LINES: {"project": "Lines", "companies": ["USMF"], **words}}, "package_hosts": [STORE]}


def fields() -> list[str]:
    return [column.field for column in stream(finance(), LINES).columns]


def table(*rows: dict[str, str], without: tuple[str, ...] = ("dataAreaId",), delimiter: str = ",") -> str:
    names = [name for name in fields() if name not in without]
    quoted = [delimiter.join('"' + row.get(name, "").replace('"', '""') + '"' for name in names) for row in rows]
    return "\r\n".join([delimiter.join(name.upper() for name in names), *quoted, ""])


def package(text: str | bytes, name: str = "Lines.csv", **more: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in {"Manifest.xml": b"<x/>", "PackageHeader.xml": b"<x/>", **more}.items():
            if content is not None:
                archive.writestr(member, content)
        archive.writestr(name, text)
    return made.getvalue()


def stored(whole: bytes) -> Callable[[httpx.Request], httpx.Response]:
    def serve(request: httpx.Request) -> httpx.Response:
        first, last = request.headers["range"].removeprefix("bytes=").split("-")
        piece = whole[int(first):int(last) + 1]
        told = f"bytes {first}-{int(first) + len(piece) - 1}/{len(whole)}"
        return httpx.Response(206, content=piece, headers={"content-range": told, "etag": '"1"'})

    return serve


def refused(code: str, status: int = 403) -> httpx.Response:
    return httpx.Response(status, content=f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())


def wired(whole: bytes | None = None, *, count: int = 1, statuses: tuple[str, ...] = ("Succeeded",)) -> Wire:
    told = stream(finance(), LINES).columns
    keys = "".join(f'<PropertyRef Name="{stream(finance(), LINES).column(n).field}"/>'
                   for n in stream(finance(), LINES).key)
    properties = "".join(f'<Property Name="{c.field}" Type="{TYPES.get(c.type, "Edm.String")}"/>' for c in told)
    edmx = ('<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
            f'<Schema Namespace="N" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="T"><Key>{keys}'
            f'</Key>{properties}</EntityType><EntityContainer Name="C"><EntitySet Name="{LINES}" EntityType="N.T"/>'
            "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>").encode()
    wire = Wire().on("POST", "/T/oauth2/v2.0/token", granted(), always=True)
    wire.on("GET", r"/data/\$metadata", httpx.Response(200, content=edmx), always=True)
    wire.on("GET", rf"/data/{LINES}/\$count", httpx.Response(200, content=str(count).encode()), always=True)
    wire.on("POST", f"{ACTION}ExportToPackage", answer({"value": {"value": "USMF-1"}}), always=True)
    wire.on("POST", f"{ACTION}GetExecutionSummaryStatus", *(answer({"value": each}) for each in statuses), always=True)
    wire.on("POST", f"{ACTION}GetExportedPackageUrl", answer({"value": f"{STORE}/dmf/1.zip?{SIGNED}"}), always=True)
    wire.on("POST", f"{ACTION}GetExecutionSummaryPageUrl", answer({"value": f"{ERP}/?mi=Summary"}), always=True)
    return wire.on("GET", "/dmf/1.zip", stored(whole), always=True) if whole is not None else wire


def read(wire: Wire, window: Window = FULL, sleeps: Sleeps | None = None, **words: object) -> tuple[list[Page], dict]:
    connection = finance(**packages(**words))
    with opened(wire, connection, sleeps) as source:
        return list(source.pages(stream(connection, LINES), window)), source.facts.notes


def rows(pages: list[Page]) -> list[dict]:
    """Numbers as they are written."""
    return [row for page in pages for row in json.loads(page.body, parse_float=Number, parse_int=Number)]


class Number(str):
    """A number of JSON, by its letters."""


def asked(wire: Wire, action: str) -> list[dict]:
    return [json.loads(request.content) for request in wire.asked("POST", f"{ACTION}{action}")]


# --- the whole


def test_a_package_says_what_the_set_would():
    wire = wired(package("\ufeff" + table(ROW)))
    pages, notes = read(wire)
    (row,) = rows(pages)
    assert list(row) == fields()
    assert {name: row[name] for name in ("dataAreaId", *ROW)} == {
        "dataAreaId": "usmf", "JournalBatchNumber": "B1", "LineNumber": "1", "AccountDisplayValue": 'O"Neill, Ltd',
        "Voucher": "V1", "TransactionDate": "2026-05-04T12:00:00Z", "CreditAmount": "70.5", "DebitAmount": "0",
        "ExchangeRate": "100"}
    assert {name for name, value in row.items() if isinstance(value, Number)} == {
        "LineNumber", "CreditAmount", "DebitAmount", "ExchangeRate"}
    assert row["MarkedInvoice"] == ""
    assert notes["packages"] == [LINES]
    assert asked(wire, "ExportToPackage") == [{
        "definitionGroupId": "Lines", "packageName": f"tieout {LINES}", "executionId": "", "reExecute": False,
        "legalEntityId": "USMF"}]
    assert not wire.asked("GET", f"/data/{LINES}")  # no page of the set


@pytest.mark.parametrize(("kind", "is_day", "sent", "means"), [
    ("Edm.Decimal", False, "1234.500000", "1234.5"), ("Edm.Decimal", False, "-0.010000", "-0.01"),
    ("Edm.Decimal", False, "100", "100"), ("Edm.Decimal", False, "0.000000", "0"),
    ("Edm.Decimal", False, "1.234,50", "1.234,50"),  # no number of ours: typing refuses it
    ("Edm.DateTimeOffset", True, "2026-05-04 00:00:00", "2026-05-04T12:00:00Z"),
    ("Edm.DateTimeOffset", True, "2026-05-04T12:00:00Z", "2026-05-04T12:00:00Z"),
    ("Edm.DateTimeOffset", True, "2026-05-04", "2026-05-04T12:00:00Z"),
    ("Edm.DateTimeOffset", True, "2154-12-31 23:59:59", "2154-12-31T12:00:00Z"),
    ("Edm.DateTimeOffset", True, "1900-01-01 00:00:00", "1900-01-01T12:00:00Z"),
    ("Edm.DateTimeOffset", True, "2026-05-04 13:00:00", "2026-05-04 13:00:00"),  # no day
    ("Edm.DateTimeOffset", False, "2026-05-04 08:01:02", "2026-05-04T08:01:02Z"),
    ("Edm.DateTimeOffset", False, "1900-01-01 00:00:00", "1900-01-01T00:00:00Z"),
    ("Edm.String", False, "007.500", "007.500"),
    ("Edm.Decimal", False, "", ""), ("Edm.Int64", False, "5637144576", "5637144576"),
])
def test_numbers_and_days_are_written_as_the_set_writes_them(kind, is_day, sent, means):
    found = json.dumps(means) if kind == "Edm.String" or not means.replace(".", "").lstrip("-").isdigit() else means
    assert msgspec.json.encode(_as_set(pa.array([sent, None]), kind, is_day=is_day)).decode() == f"[{found},null]"


def test_an_execution_is_named_plainly_or_wrapped():
    for value in ("USMF-1", {"value": "USMF-1"}):
        wire = wired(package(table(ROW)))
        wire.on("POST", f"{ACTION}ExportToPackage", answer({"value": value}))
        read(wire)
        assert asked(wire, "GetExecutionSummaryStatus") == [{"executionId": "USMF-1"}]


def test_each_company_is_an_export_of_its_own():
    wire = wired(package(table(ROW)), count=2)
    pages, _ = read(wire, companies=["USMF", "GBSI"])
    assert [row["dataAreaId"] for row in rows(pages)] == ["usmf", "gbsi"]
    assert [words["legalEntityId"] for words in asked(wire, "ExportToPackage")] == ["USMF", "GBSI"]


def test_a_file_has_its_own_encoding_delimiter_names_and_place():
    text = table(ROW, delimiter=";").replace("VOUCHER", "LEDGERVOUCHER").replace("O\"\"Neill", "Ørsted")
    whole = package(text.encode("cp1252"), name="b.csv", **{"a.csv": b"x"})
    pages, _ = read(wired(whole), encoding="cp1252", delimiter=";", file="b.csv", columns={"Voucher": "LedgerVoucher"})
    (row,) = rows(pages)
    assert (row["Voucher"], row["AccountDisplayValue"]) == ("V1", "Ørsted, Ltd")


def test_an_empty_set_is_an_empty_page():
    pages, _ = read(wired(package(table()), count=0))
    assert (len(pages), rows(pages)) == (1, [])


def test_a_row_with_too_few_values_is_kept_as_broken():
    pages, _ = read(wired(package(table(ROW) + "just,two\r\n"), count=2))
    assert len(rows(pages)) == 1
    assert [text for page in pages for text, _ in page.broken] == ["just,two"]


def test_only_the_complete_set_is_a_package_changes_come_by_pages():
    wire = wired().on("GET", f"/data/{LINES}", answer({"value": []}))
    read(wire, Window(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)))
    assert not asked(wire, "ExportToPackage")


# --- waiting


def test_an_export_is_waited_for_longer_and_longer():
    sleeps = Sleeps()
    read(wired(package(table(ROW)), statuses=("Unknown", "NotRun", *["Executing"] * 12, "Succeeded")), sleeps=sleeps)
    assert len(sleeps) == 14
    assert sleeps == sorted(sleeps)
    assert (sleeps[0], sleeps[-1]) == (0.5, 60.0)


def test_an_export_that_never_ends_is_an_error(monkeypatch):
    monkeypatch.setattr(odata_packages, "LONGEST", 100)
    with pytest.raises(SourceError, match=r"CustomerPaymentJournalLines: execution USMF-1 of project Lines \(USMF\)"):
        read(wired(statuses=("Executing",)))


def test_a_status_that_nobody_knows_is_an_error():
    with pytest.raises(SourceError, match="'Paused', which is not known"):
        read(wired(statuses=("Paused",)))


@pytest.mark.parametrize("status", ["Failed", "PartiallySucceeded", "Canceled"])
def test_what_is_not_whole_is_left_alone_and_the_set_is_read_by_pages(status):
    """A part that was taken for the whole would close all that it lacks."""
    wire = wired(statuses=("Executing", status))
    wire.on("GET", f"/data/{LINES}", answer({"value": [
        {"dataAreaId": "usmf", "JournalBatchNumber": "B1", "LineNumber": 1}], "@odata.count": 1}))
    pages, notes = read(wire)
    assert len(json.loads(pages[-1].body)["value"]) == 1
    assert notes["package_failed"][LINES] == (
        f"execution USMF-1 of project Lines (USMF) ended as {status}; see {ERP}/?mi=Summary")
    assert "packages" not in notes
    assert not wire.asked("GET", "/dmf/1.zip")


def test_where_nobody_says_what_went_wrong_the_reason_is_shorter():
    wire = wired(statuses=("Failed",)).on("GET", f"/data/{LINES}", answer({"value": []}))
    wire.on("POST", f"{ACTION}GetExecutionSummaryPageUrl", answer({}, 404))
    assert read(wire)[1]["package_failed"][LINES].endswith("ended as Failed")


# --- the whole and nothing less


def test_a_package_with_fewer_rows_than_the_set_is_an_error():
    """A project that keeps track of changes exports what is new since the last time; a company may be left out."""
    with pytest.raises(SourceError, match=r"project Lines hold 1 of 3 rows") as error:
        read(wired(package(table(ROW)), count=3))
    assert "change tracking" in error.value.hint


def test_rows_that_went_meanwhile_are_not_missing():
    wire = wired(package(table(ROW)))
    wire.on("GET", rf"/data/{LINES}/\$count", httpx.Response(200, content=b"3"), httpx.Response(200, content=b"1"))
    assert len(rows(read(wire)[0])) == 1


def test_a_column_that_the_project_does_not_map_is_named():
    with pytest.raises(SchemaError, match=r"project Lines \(USMF\) has no Voucher, CreditAmount"):
        read(wired(package(table(ROW, without=("dataAreaId", "Voucher", "CreditAmount")))))


def test_without_companies_nothing_is_asked():
    wire = wired()
    with pytest.raises(ConfigError, match="packages.CustomerPaymentJournalLines needs companies"):
        read(wire, companies=[])
    assert not asked(wire, "ExportToPackage")


@pytest.mark.parametrize(("told", "match"), [
    ({"Nothing": "P"}, "no stream Nothing"), ({LINES: {"file": "x"}}, "project"), (["P"], "mapping"),
    ({LINES: {"project": "P", "compress": True}}, "compress"), ({LINES: 5}, "packages.CustomerPaymentJournalLines"),
])
def test_a_wrong_word_in_packages_is_refused_at_once(told, match):
    with pytest.raises(ConfigError, match=match):
        opened(Wire(), finance(packages=told))


# --- the file


def test_only_hosts_that_the_connection_names_are_asked():
    wire = wired(package(table(ROW)))
    other = "https://attacker.example/dmf/1.zip?sig=x"
    wire.on("POST", f"{ACTION}GetExportedPackageUrl", answer({"value": other}))
    with pytest.raises(UnsafeLinkError, match=r"package_hosts.*https://attacker\.example/dmf/1\.zip"):
        read(wire)
    assert {request.url.host for request in wire.requests} == {"env.operations.dynamics.com", "login.example"}


def test_a_host_of_storage_is_no_host_for_tokens_nor_for_links():
    wire = wired(package(table(ROW)))
    read(wire)
    assert all("authorization" not in request.headers for request in wire.asked("GET", "/dmf/1.zip"))
    wire = wired(statuses=("Failed",))
    wire.on("GET", f"/data/{LINES}", answer({"value": [
        {"dataAreaId": "usmf", "JournalBatchNumber": "B1", "LineNumber": 1}], "@odata.nextLink": f"{STORE}/next"}))
    with pytest.raises(UnsafeLinkError, match="blob"):
        read(wire)


def test_a_large_package_comes_in_pieces_and_is_put_together(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 100)
    wire = wired(package(table(ROW)))
    assert len(rows(read(wire)[0])) == 1
    parts = wire.asked("GET", "/dmf/1.zip")
    assert len(parts) > 3
    assert [request.headers.get("if-match") for request in parts[:2]] == [None, '"1"']


def test_an_address_that_ended_is_asked_for_anew_and_reading_goes_on(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 100)
    whole, tries = package(table(ROW)), iter(range(100))
    wire = wired(whole)
    wire.on("GET", "/dmf/1.zip", lambda request: refused("AuthenticationFailed") if next(tries) in (0, 3)
            else stored(whole)(request), always=True)
    assert len(rows(read(wire)[0])) == 1
    assert len(asked(wire, "GetExportedPackageUrl")) == 3


def test_an_address_that_is_refused_again_is_an_error():
    wire = wired().on("GET", "/dmf/1.zip", refused("AuthenticationFailed"), always=True)
    with pytest.raises(SourceError, match="cannot be read: AuthenticationFailed"):
        read(wire)
    assert len(wire.asked("GET", "/dmf/1.zip")) == 2


def test_storage_that_is_busy_is_tried_again_and_a_cut_piece_is_no_piece():
    whole = package(table(ROW))
    wire = wired(whole)
    cut = httpx.Response(206, content=whole[:10], headers={"content-range": f"bytes 0-{len(whole) - 1}/{len(whole)}"})
    wire.on("GET", "/dmf/1.zip", refused("ServerBusy", 503), cut, stored(whole))
    assert len(rows(read(wire)[0])) == 1


def test_storage_that_knows_no_parts_gives_the_whole():
    wire = wired().on("GET", "/dmf/1.zip", httpx.Response(200, content=package(table(ROW))))
    assert len(rows(read(wire)[0])) == 1


@pytest.mark.parametrize(("whole", "match"), [
    (b"PK no zip at all", "no zip file"), (package(table(ROW))[:-30], "no zip file"),
    (package(table(ROW), **{"Manifest.xml": None}), "no manifest"),
    (package(table(ROW), **{"Other.csv": b"x"}), "2 of its files match"),
    (package(table(ROW), name="Lines.xlsx"), "0 of its files match"),
    (package(table(ROW), name="../Lines.csv"), "leads out of the folder"),
    (package(table(ROW) + "," * 60_000_000), "max_ratio"),
    (package("A,B\r\n\"1,2\r\n"), "a quoted value does not end"),
    (package(table(ROW).encode("utf-16")), "is not utf-8"),
])
def test_what_is_no_sound_package_is_refused(whole, match):
    with pytest.raises(SourceError, match=match):
        read(wired(whole))


def test_nothing_is_left_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read(wired(package(table(ROW))))
    with pytest.raises(SourceError):
        read(wired(b"no zip"))
    assert list(tmp_path.iterdir()) == []


def test_the_signature_of_an_address_is_never_said(caplog):
    caplog.set_level(logging.DEBUG)
    told = f"Expired {SIGNED}"
    wire = wired().on("GET", "/dmf/1.zip", refused(told, 503), refused(told), refused(told))
    with pytest.raises(SourceError) as error:
        read(wire)
    lines = [vars(record) for record in caplog.records if record.name.startswith("tieout")]  # httpx is silenced
    said = f"{lines}{error.value}{error.value.hint}".encode()
    hunt = Hunt({"sig": parse_qs(SIGNED)["sig"][0]})
    assert hunt.in_bytes(said, "said", "log") == []
    assert len(lines) == 1
    assert b"Expired" in said
