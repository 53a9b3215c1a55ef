"""Plain files → pages: dialects, guards, and that no row is lost. Names of tests are the traps of such files."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tests.integration.own_system import ORDERS, company, write
from tieout.errors import AuthError, SchemaError, SourceError
from tieout.extract import Window
from tieout.extract.open import open_extractor
from tieout.landing.ledger import Totals
from tieout.landing.parse import Parser
from tieout.landing.quarantine import Spool
from tieout.landing.shape import Shaper

HEAD = "order_no,day,net,currency\n"


def shaped(folder: Path, stream: dict[str, Any] | None = None, **options: Any) -> list[tuple]:
    """Typed rows of all files, in the order of the columns; what is refused is not among them."""
    declared = {**ORDERS, **(stream or {}), "options": {"files": "orders*", **options}}
    connection = company(folder, {"orders": declared}).connection("shop")
    (one,) = connection.selected()
    found: list[tuple] = []
    with open_extractor(connection, {}) as extractor:
        parser = Parser(connection, one)
        shaper = Shaper(one, connection.zone, Totals(()), Spool())
        for chunk in parser.chunks(extractor.pages(one, Window(None, datetime.now(UTC)))):
            found += zip(*(column.to_pylist() for column in shaper.shape(chunk).columns), strict=True)
    return found


def first(folder: Path, text: str | bytes, name: str = "orders.csv", **options: Any) -> tuple:
    write(folder, name, text)
    rows = shaped(folder, **options)
    return rows[0]


@pytest.mark.parametrize(("encoding", "written"), [
    ("utf-8", "utf-8-sig"), ("utf-8", "utf-8"), ("cp1252", "cp1252"), ("latin-1", "latin-1"), ("utf-16", "utf-16"),
    ("utf-16-le", "utf-16-le")])
def test_encodings_with_and_without_byte_order_mark(tmp_path, encoding, written):
    write(tmp_path, "orders.csv", HEAD + "Ü1,2026-03-01,1.10,EUR\n", encoding=written)
    assert shaped(tmp_path, csv={"encoding": encoding})[0][0] == "Ü1"


def test_a_wrong_encoding_names_the_file_and_the_byte(tmp_path):
    write(tmp_path, "orders.csv", HEAD + "Ü1,2026-03-01,1,EUR\n", encoding="cp1252")
    with pytest.raises(SourceError, match=r"orders.csv: byte 26 is not utf-8"):
        shaped(tmp_path)


@pytest.mark.parametrize(("delimiter", "text"), [(";", ";"), ("|", "|"), ("\t", "\t"), ("\x01", "\x01")])
def test_delimiters(tmp_path, delimiter, text):
    write(tmp_path, "orders.csv", (HEAD + "1,2026-03-01,1.5,EUR\n").replace(",", text))
    assert shaped(tmp_path, csv={"delimiter": delimiter})[0][2] == Decimal("1.5")


@pytest.mark.parametrize(("csv", "text", "value"), [
    ({"decimal": ",", "thousands": "."}, "1.234.567,89", "1234567.89"),
    ({"decimal": ",", "thousands": "."}, "1.234", "1234"),
    ({"decimal": ","}, "0,10", "0.10"),
    ({"decimal": ",", "thousands": " "}, "1\u00a0234,5", "1234.5"),
    ({"thousands": ","}, "1,234.50", "1234.50"),
    ({"thousands": "'"}, "1'234.50", "1234.50"),
    ({}, "123.45-", "-123.45"),
    ({"decimal": ","}, "1234,50-", "-1234.50"),
    ({}, "(12.00)", "-12"),
    ({"symbols": ["$", "€"]}, "$12.00", "12"),
    ({"symbols": ["$", "€"]}, "($12.00)", "-12"),
    ({}, " 7 ", "7"),
    ({}, "0.1000000000000000055", None),
    ({}, "1.23E+12", "1230000000000"),
])
def test_numbers_as_files_write_them(tmp_path, csv, text, value):
    write(tmp_path, "orders.csv", f'order_no;day;net;currency\n1;2026-03-01;"{text}";EUR\n')
    rows = shaped(tmp_path, csv={"delimiter": ";", **csv})
    assert [row[2] for row in rows] == ([Decimal(value)] if value else [])


@pytest.mark.parametrize(("csv", "text"), [
    ({"decimal": ",", "thousands": "."}, "1.5"), ({"decimal": ",", "thousands": "."}, "12.34,5"),
    ({"decimal": ","}, "1.234,50"), ({"thousands": ","}, "1,23"), ({"decimal": ","}, "1234.50")])
def test_a_mark_in_the_wrong_place_is_refused_and_never_guessed(tmp_path, csv, text):
    write(tmp_path, "orders.csv", f'order_no;day;net;currency\n1;2026-03-01;"{text}";EUR\n')
    assert shaped(tmp_path, csv={"delimiter": ";", **csv}) == []


@pytest.mark.parametrize(("csv", "text", "day"), [
    ({"dates": "%d.%m.%Y"}, "01.03.2026", "2026-03-01"), ({"dates": "%d.%m.%Y"}, "1.3.2026", "2026-03-01"),
    ({"dates": ["%m/%d/%Y", "%m/%d/%y"]}, "03/01/26", "2026-03-01"), ({"dates": "%Y%m%d"}, "20260301", "2026-03-01"),
    ({"dates": "%Y%m%d", "null_dates": "00000000"}, "00000000", None),
    ({"null_dates": "0000-00-00"}, "0000-00-00", None),
    ({"dates": "%d.%m.%Y"}, "2026-03-01", "2026-03-01")])
def test_dates_as_files_write_them(tmp_path, csv, text, day):
    found = first(tmp_path, HEAD + f"1,{text},1,EUR\n", csv=csv)[1]
    assert (found and found.isoformat()) == day


@pytest.mark.parametrize(("csv", "text"), [
    ({"dates": "%d.%m.%Y"}, "31.02.2026"), ({"dates": "%d/%m/%Y"}, "03/31/2026"), ({}, "45352"),
    ({"dates": "%d.%m.%Y"}, "45352"), ({"dates": "%Y%m%d"}, "00000000"), ({"dates": "%d.%m.%Y"}, "01.03.2026x")])
def test_a_day_that_does_not_exist_or_an_excel_number_is_refused(tmp_path, csv, text):
    write(tmp_path, "orders.csv", HEAD + f"1,{text},1,EUR\n")
    assert shaped(tmp_path, csv=csv) == []


def test_ids_keep_their_zeros_and_long_ids_their_digits(tmp_path):
    row = first(tmp_path, HEAD + "000123456789012345678901,2026-03-01,1,007\n")
    assert (row[0], row[3]) == ("000123456789012345678901", "007")


def test_null_words_are_per_feed(tmp_path):
    write(tmp_path, "orders.csv", HEAD + '1,2026-03-01,\\N,"NULL"\n2,2026-03-01,1,NA\n')
    rows = shaped(tmp_path, csv={"nulls": ["", "\\N", "NULL"]})
    assert [(row[2], row[3]) for row in rows] == [(None, None), (Decimal(1), "NA")]


def test_line_breaks_and_doubled_quotes_within_quotes(tmp_path):
    row = first(tmp_path, HEAD.encode().replace(b"\n", b"\r\n") + b'"a\r\nb ""c"", d",2026-03-01,1,EUR\r\n')
    assert row[0] == 'a\r\nb "c", d'


def test_quotes_as_text(tmp_path):
    assert first(tmp_path, HEAD + '5" pipe,2026-03-01,1,EUR\n', csv={"quote": None})[0] == '5" pipe'


def test_a_quote_that_does_not_end_swallows_nothing(tmp_path):
    write(tmp_path, "orders.csv", HEAD + '1,2026-03-01,1,"EUR\n2,2026-03-01,1,EUR\n')
    with pytest.raises(SourceError, match="a quoted value does not end"):
        shaped(tmp_path)


def test_ragged_rows_are_kept_for_the_quarantine(tmp_path):
    write(tmp_path, "orders.csv", HEAD + "1,2026-03-01,1,EUR\n2,2026-03-01\n3,2026-03-01,1,EUR,x\n4,2026-03-01,1,EUR\n")
    connection = company(tmp_path, {"orders": ORDERS}).connection("shop")
    (stream,) = connection.selected()
    with open_extractor(connection, {}) as extractor:
        pages = [*extractor.pages(stream, Window(None, datetime.now(UTC)))]
    assert [broken for page in pages for broken in page.broken] == [
        ("2,2026-03-01", "shop: orders.csv: 2 values for 4 columns"),
        ("3,2026-03-01,1,EUR,x", "shop: orders.csv: 5 values for 4 columns")]
    assert sum(page.body.num_rows for page in pages if not isinstance(page.body, bytes)) == 2


def test_headers_in_another_order_with_an_alias_are_matched_by_name(tmp_path):
    row = first(tmp_path, "currency, NET_AMT ,order_no,day\nEUR,5,1,2026-03-01\n", csv={"aliases": {"NET_AMT": "net"}})
    assert (row[0], row[2], row[3]) == ("1", Decimal(5), "EUR")


def test_a_header_that_names_a_column_twice_is_an_error(tmp_path):
    write(tmp_path, "orders.csv", "order_no,net,net,day,currency\n1,1,2,2026-03-01,EUR\n")
    with pytest.raises(SchemaError, match="names a column twice: net"):
        shaped(tmp_path)


def test_files_without_a_header_take_the_declared_names(tmp_path):
    row = first(tmp_path, "1,2026-03-01,2,EUR\n", csv={"header": ["order_no", "day", "net", "currency"]})
    assert row[2] == Decimal(2)


def test_lines_above_the_header_are_skipped(tmp_path):
    assert first(tmp_path, f"exported by X\n\n{HEAD}1,2026-03-01,2,EUR\n", csv={"skip_rows": 2})[2] == Decimal(2)


def test_the_last_line_counts_the_records(tmp_path):
    csv = {"trailer": r"^TRL\|0*(\d+)"}
    write(tmp_path, "orders.csv", HEAD + "1,2026-03-01,2,EUR\n2,2026-03-01,2,EUR\nTRL|000002\n")
    assert len(shaped(tmp_path, csv=csv)) == 2
    write(tmp_path, "orders.csv", HEAD + "1,2026-03-01,2,EUR\nTRL|000002\n")
    with pytest.raises(SourceError, match="the last line tells of 2 records, 1 came"):
        shaped(tmp_path, csv=csv)
    write(tmp_path, "orders.csv", HEAD + "1,2026-03-01,2,EUR\n")
    with pytest.raises(SourceError, match="the last line is not the declared trailer"):
        shaped(tmp_path, csv=csv)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_line_ends_and_a_last_line_without_one(tmp_path, end):
    text = (HEAD + "1,2026-03-01,2,EUR\n2,2026-03-01,2,EUR").replace("\n", end or "\n") + end
    write(tmp_path, "orders.csv", text)
    assert len(shaped(tmp_path)) == 2


def test_an_empty_file_and_a_header_alone_hold_no_record(tmp_path):
    write(tmp_path, "orders_1.csv", "")
    write(tmp_path, "orders_2.csv", HEAD)
    write(tmp_path, "orders_3.csv", HEAD + "1,2026-03-01,2,EUR\n")
    assert len(shaped(tmp_path)) == 1


def test_words_for_yes_and_no(tmp_path):
    stream = {"columns": {**ORDERS["columns"], "paid": "boolean"}}
    write(tmp_path, "orders.csv", "order_no,day,net,currency,paid\n1,2026-03-01,1,EUR,J\n2,2026-03-01,1,EUR,N\n"
          "3,2026-03-01,1,EUR,?\n4,2026-03-01,1,EUR,\n")
    rows = shaped(tmp_path, stream, csv={"booleans": {"J": True, "N": False}})
    assert [(row[0], row[4]) for row in rows] == [("1", True), ("2", False), ("4", None)]


# --- JSON lines -------------------------------------------------------------------------------------------------------


def test_json_lines_keep_every_digit(tmp_path):
    row = first(tmp_path, b'{"order_no":"1","day":"2026-03-01","net":0.10,"currency":"EUR"}\n', "orders.jsonl",
                format="jsonl")
    assert str(row[2]) == "0.100000000000000000"
    big = first(tmp_path, b'{"order_no":12345678901234567890,"day":null,"net":123456789012345678.123456789012345678}\n',
                "orders.jsonl", format="jsonl")
    assert str(big[2]) == "123456789012345678.123456789012345678"


def test_json_lines_that_end_within_a_record(tmp_path):
    write(tmp_path, "orders.jsonl", b'{"order_no":"1"}\n{"order_no":"2","da')
    with pytest.raises(SourceError, match="orders.jsonl: the last line ends within a record"):
        shaped(tmp_path, format="jsonl")


def test_a_broken_json_line_is_kept_for_the_quarantine_and_the_others_land(tmp_path):
    write(tmp_path, "orders.jsonl", b'{"order_no":"1"}\n{"order_no":"2",\n[1]\n\n{"order_no":"3"}\n')
    rows = shaped(tmp_path, format="jsonl")
    assert [row[0] for row in rows] == ["1", "3"]


# --- Parquet ----------------------------------------------------------------------------------------------------------


def parquet(folder: Path, name: str = "orders.parquet", **columns: pa.Array) -> None:
    table = {"order_no": pa.array(["1"]), "day": pa.array([datetime(2026, 3, 1)], pa.date32()),
             "net": pa.array([Decimal("1.10")], pa.decimal128(12, 2)), "currency": pa.array(["EUR"]), **columns}
    pq.write_table(pa.table(table), folder / name)


def test_parquet_decimals_dictionaries_and_stamps(tmp_path):
    parquet(tmp_path, currency=pa.array(["EUR"]).dictionary_encode())
    assert shaped(tmp_path, format="parquet")[0][2:] == (Decimal("1.10"), "EUR")


def test_money_as_binary_floating_point_needs_its_decimals_said(tmp_path):
    parquet(tmp_path, net=pa.array([0.1 + 0.2]))
    with pytest.raises(SchemaError, match="net is money kept as binary floating point"):
        shaped(tmp_path, format="parquet")
    assert shaped(tmp_path, format="parquet", float_scale=2)[0][2] == Decimal("0.30")


# --- guards -----------------------------------------------------------------------------------------------------------


def zipped(folder: Path, members: dict[str, bytes], name: str = "orders.zip") -> None:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)


def test_gz_zip_and_zst_are_known_by_their_first_bytes(tmp_path):
    data = (HEAD + "1,2026-03-01,2,EUR\n").encode()
    write(tmp_path, "orders_1.csv", gzip.compress(data))
    zipped(tmp_path, {"a/orders.csv": data, "b.csv": data}, "orders_2.csv")
    sink = io.BytesIO()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
        stream.flush()
        packed = sink
        stream.close()
        packed = sink.getvalue() if not sink.closed else b""
    if packed:
        write(tmp_path, "orders_3.csv", packed)
    assert len(shaped(tmp_path)) == (4 if packed else 3)


@pytest.mark.parametrize("member", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "c:\\evil.csv", "a\\..\\b.csv"])
def test_a_member_that_leads_out_of_the_folder_is_refused(tmp_path, member):
    zipped(tmp_path, {member: b"x"})
    with pytest.raises(SourceError, match="leads out of the folder"):
        shaped(tmp_path)
    assert not (tmp_path.parent / "evil.csv").exists()


def test_a_member_that_is_a_link_is_refused(tmp_path):
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "orders.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(SourceError, match="is a link"):
        shaped(tmp_path)


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_a_bomb_is_refused(tmp_path, kind):
    data = b"0" * 40_000_000
    if kind == "gz":
        write(tmp_path, "orders.csv", gzip.compress(data))
    else:
        zipped(tmp_path, {"orders.csv": data})
    with pytest.raises(SourceError, match="times its size and more"):
        shaped(tmp_path, max_ratio=100)
    with pytest.raises(SourceError, match=r"unpacks to more than 1,000,000 bytes"):
        shaped(tmp_path, max_bytes=1_000_000)


def test_a_cut_gz_and_a_damaged_zip_are_errors_that_name_the_file(tmp_path):
    write(tmp_path, "orders.csv", gzip.compress((HEAD * 1000).encode())[:-20])
    with pytest.raises(SourceError, match=r"orders.csv: cannot be unpacked \(gz\)"):
        shaped(tmp_path)
    (tmp_path / "orders.csv").unlink()
    zipped(tmp_path, {"a.csv": HEAD.encode() * 100})
    data = bytearray((tmp_path / "orders.zip").read_bytes())
    data[40] ^= 0xFF
    (tmp_path / "orders.zip").write_bytes(data)
    with pytest.raises(SourceError, match=r"orders.zip"):
        shaped(tmp_path)


@pytest.mark.parametrize("pattern", ["../orders.csv", "/etc/*", "a/../../b", "a\\b"])
def test_a_pattern_stays_below_the_folder(tmp_path, pattern):
    with pytest.raises(ValidationError, match="must be a path below"):
        company(tmp_path, {"orders": {**ORDERS, "options": {"files": pattern}}})


@pytest.mark.parametrize(("call", "error", "kind"), [
    ("ls", OSError("Socket is closed"), SourceError), ("info", OSError("Socket is closed"), SourceError),
    ("ls", PermissionError("denied"), AuthError)])
def test_a_line_that_breaks_while_files_are_listed_is_not_an_empty_folder(tmp_path, monkeypatch, call, error, kind):
    """fsspec leaves out what it cannot list, and says that what it cannot look at is not there."""
    from fsspec.implementations.local import LocalFileSystem

    write(tmp_path, "orders.csv", HEAD + "1,2026-03-01,1,EUR\n")
    write(tmp_path, "orders.csv.sha256", "0" * 64)
    connection = company(tmp_path, {"orders": {**ORDERS, "options": {"files": "orders*.csv"}}}).connection("shop")
    connection = connection.model_copy(update={"options": {
        **connection.options, "ready": {"checksum": "{name}.sha256"}}})
    real = getattr(LocalFileSystem, call)

    def breaks(self, path, *words, **more):
        if call == "ls" or str(path).endswith(".sha256"):
            raise error
        return real(self, path, *words, **more)

    monkeypatch.setattr(LocalFileSystem, call, breaks)
    with open_extractor(connection, {}) as extractor, pytest.raises(kind, match="shop: "):
        for delivery in extractor.deliveries(connection.selected()[0], Window(None, datetime.now(UTC)), ()):
            list(delivery.pages())
