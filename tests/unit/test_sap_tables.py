"""SAP's tables as files: what extraction tools and people's exports make of them, through the shipped source."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.sap_files import _TABLES
from tieout.errors import ConfigError, SourceError
from tieout.extract import Window
from tieout.extract.open import open_extractor
from tieout.landing.ledger import Totals
from tieout.landing.parse import Parser
from tieout.landing.quarantine import Spool
from tieout.landing.shape import Shaper
from tieout.spec import Company, Connection, load_source

FULL = Window(None, datetime(2026, 7, 1, tzinfo=UTC), full=True)
TCURR = "MANDT;KURST;FCURR;TCURR;GDATU;UKURS;FFACT;TFACT\r\n"


def extracts(folder: Path | str = "/tmp/none", streams: Any = "all", **options: Any) -> Connection:
    return Company.model_validate({"version": 1, "connections": {"erp": {
        "system": "sap_tables", "auth": "none", "time_zone": "Europe/Berlin", "streams": streams,
        "options": {"url": str(folder), "ready": {"quiet": "0s"}, **options}}}}).connection("erp")


def landed(folder: Path, table: str, text: str, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """(typed rows, reasons of what was refused) of one table's file."""
    (folder / f"{table}_20260630.csv").write_text(text, encoding="utf-8", newline="")
    connection = extracts(folder, **options)
    stream = next(each for each in connection.selected() if each.name == table)
    found: list[dict[str, Any]] = []
    with open_extractor(connection, {}) as source:
        parser, spool = Parser(connection, stream), Spool()
        shaper = Shaper(stream, connection.zone, Totals(()), spool)
        for chunk in parser.chunks(source.pages(stream, FULL)):
            shaped = shaper.shape(chunk)
            names = [column.name for column in stream.columns]
            found += [dict(zip(names, row, strict=True))
                      for row in zip(*(column.to_pylist() for column in shaped.columns), strict=True)]
        refused = shaper.totals.rows["quarantined"]
    return found, ["refused"] * refused


def vbrk(**values: str) -> str:
    """A file of one billing document."""
    names = _TABLES["VBRK"][0].split()
    row = {"MANDT": "100", "VBELN": "0090000001", "VBTYP": "M", "WAERK": "EUR", "NETWR": "1.00", "MWSBK": "0.00",
           "KURRF": "1.00000", "FKDAT": "20260630", "ERDAT": "20260630", **values}
    return ";".join(names) + "\r\n" + ";".join(row.get(name, "") for name in names) + "\r\n"


@pytest.mark.parametrize(("text", "csv", "value"), [
    ("1234.56-", {}, "-1234.56"),
    ("   1234.56 ", {}, "1234.56"),
    (" 1.234.567,89-", {"decimal": ",", "thousands": "."}, "-1234567.89"),
    ("1,234,567.89", {"thousands": ","}, "1234567.89"),
    ("1 234 567,89", {"decimal": ",", "thousands": " "}, "1234567.89"),
])
def test_a_minus_behind_the_number_and_the_extracting_users_decimal_notation(tmp_path, text, csv, value):
    """The connection says how its files are written, over what the source says."""
    ((row,), refused) = landed(tmp_path, "VBRK", vbrk(NETWR=text, KURRF="1", MWSBK="0"), csv=csv)
    assert (row["netwr"], refused) == (Decimal(value), [])


def test_the_wrong_decimal_notation_is_refused_and_not_guessed(tmp_path):
    rows, refused = landed(tmp_path, "VBRK", vbrk(NETWR="1.234.567,89"))
    assert (rows, len(refused)) == ([], 1)


@pytest.mark.parametrize(("text", "value"), [
    ("20260630", date(2026, 6, 30)), ("30.06.2026", date(2026, 6, 30)), ("2026-06-30", date(2026, 6, 30)),
    ("00000000", None), ("0000-00-00", None), ("00.00.0000", None), ("        ", None), ("", None),
    ("99991231", date(9999, 12, 31)),
])
def test_no_date_is_eight_zeros_and_the_open_end_is_a_date(tmp_path, text, value):
    ((row,), refused) = landed(tmp_path, "VBRK", vbrk(FKDAT=text))
    assert (row["fkdat"], refused) == (value, [])


def test_a_day_that_does_not_exist_is_refused(tmp_path):
    assert landed(tmp_path, "VBRK", vbrk(FKDAT="20260631")) == ([], ["refused"])


def test_a_rate_quoted_indirectly_keeps_its_minus(tmp_path):
    line = "100;M;GBP;EUR;79739369;1.17000-;0;0\r\n"
    ((row,), _) = landed(tmp_path, "TCURR", TCURR + line)
    assert (row["ukurs"], row["gdatu"]) == (Decimal("-1.17"), "79739369")


def test_two_clients_in_a_file_are_an_error_until_one_is_chosen(tmp_path):
    lines = "100;M;GBP;EUR;79739369;1.17000;0;0\r\n200;M;GBP;EUR;79739369;9.99000;0;0\r\n"
    with pytest.raises(SourceError, match="holds rows of MANDT 100 and 200") as refusal:
        landed(tmp_path, "TCURR", TCURR + lines)
    assert "only: {MANDT: '100'}" in str(refusal.value)
    rows, refused = landed(tmp_path, "TCURR", TCURR + lines, only={"MANDT": "100"})
    assert ([row["ukurs"] for row in rows], refused) == ([Decimal("1.17")], [])


def test_a_file_of_another_client_alone_is_no_empty_set(tmp_path):
    """Choosing a client that the file does not hold must not read as: everything is gone."""
    line = "200;M;GBP;EUR;79739369;9.99000;0;0\r\n"
    with pytest.raises(SourceError, match="complete set without a record"):
        landed(tmp_path, "TCURR", TCURR + line, only={"MANDT": "100"})


def test_a_table_that_knows_no_client_is_read_whole(tmp_path):
    rows, _ = landed(tmp_path, "TCURX", "CURRKEY;CURRDEC\r\nJPY;0\r\nKWD;3\r\n", only={"MANDT": "100"})
    assert {row["currkey"]: row["currdec"] for row in rows} == {"JPY": 0, "KWD": 3}


LISTED = """30.06.2026                  Dynamic List Display                   1
---------------------------------------------------------------------------
|   |MANDT|KURST|FCURR|TCURR|GDATU   |UKURS      |FFACT|TFACT|
---------------------------------------------------------------------------
|   |100  |M    |GBP  |EUR  |79739369|   1,17000-|    0|    0|
|   |100  |M    |USD  |EUR  |79739369|   0,91000 |    0|    0|
---------------------------------------------------------------------------
30.06.2026                  Dynamic List Display                   2
---------------------------------------------------------------------------
|   |MANDT|KURST|FCURR|TCURR|GDATU   |UKURS      |FFACT|TFACT|
---------------------------------------------------------------------------
|   |100  |M    |JPY  |EUR  |79739369|   0,61000 |  100|    1|
---------------------------------------------------------------------------
"""


def test_a_printed_list_with_rules_and_a_header_on_each_page(tmp_path):
    printed = {"delimiter": "|", "quote": None, "decimal": ",", "thousands": ".", "listing": True}
    rows, refused = landed(tmp_path, "TCURR", LISTED, csv=printed)
    assert refused == []
    assert {row["fcurr"]: (row["ukurs"], row["ffact"]) for row in rows} == {
        "GBP": (Decimal("-1.17"), 0), "USD": (Decimal("0.91"), 0), "JPY": (Decimal("0.61"), 100)}


def test_what_is_no_printed_list_is_told(tmp_path):
    with pytest.raises(SourceError, match="no line begins with"):
        landed(tmp_path, "TCURR", TCURR, csv={"delimiter": "|", "quote": None, "listing": True})


def test_a_delimiter_within_a_text_is_refused_and_moves_no_value(tmp_path):
    """RFC_READ_TABLE quotes nothing: a text with the delimiter has one value too many."""
    names = _TABLES["KNA1"][0].split()
    sound = dict.fromkeys(names, "") | {"MANDT": "100", "KUNNR": "0000004711", "NAME1": "Halden"}
    lines = [";".join(names), ";".join(sound.values()),
             ";".join((sound | {"KUNNR": "0000004712", "NAME1": "Ost; West"}).values())]
    rows, refused = landed(tmp_path, "KNA1", "\r\n".join(lines) + "\r\n", csv={"quote": None})
    assert ([row["kunnr"] for row in rows], len(refused)) == (["0000004711"], 1)


# --- one journal


def test_either_bkpf_with_bseg_or_acdoca_is_read_and_never_both():
    def names(connection: Connection) -> set[str]:
        return {stream.name for stream in connection.selected()} & {"BKPF", "BSEG", "ACDOCA"}

    assert names(extracts()) == {"BKPF", "BSEG"}
    assert names(extracts(journal="ACDOCA")) == {"ACDOCA"}


@pytest.mark.parametrize(("streams", "options", "says"), [
    (["VBRK", "BSEG", "ACDOCA"], {}, "ACDOCA is read with options.journal: ACDOCA only"),
    (["VBRK", "BSEG", "ACDOCA"], {"journal": "ACDOCA"}, "BSEG is read with options.journal: BSEG only"),
    ("all", {"journal": "both"}, "options.journal: 'both' is not one of BSEG, ACDOCA"),
])
def test_a_connection_that_asks_for_both_journals_is_refused(streams, options, says):
    with pytest.raises((ConfigError, ValueError), match=says):
        extracts(streams=streams, **options)


# --- what cannot be seen in a file


def test_days_are_read_again_and_stamps_overlap():
    """A day of change says no more than its day; a stamp is written before its record is committed."""
    from datetime import timedelta

    from tieout.extract.odata_dialect import STAMPS

    assert STAMPS
    source = load_source("sap")
    for stream in source.streams:
        if stream.cursor:
            kind = stream.column(stream.cursor).type
            overlap = stream.overlap or source.defaults.cursor_overlap
            assert overlap >= (timedelta(days=1) if kind == "date" else timedelta(minutes=5)), stream.name


def test_what_moves_no_stamp_of_change_is_read_whole():
    """Addresses and the sales side of a customer change without the partner's own day of change."""
    source = load_source("sap")
    assert {source.stream(name).mode for name in ("A_BusinessPartnerAddress", "A_Customer")} == {"full"}
    cube = source.stream("A_OperationalAcctgDocItemCube")
    assert cube.options["stamps"] == ["AccountingDocumentCreationDate", "ClearingCreationDate"]
