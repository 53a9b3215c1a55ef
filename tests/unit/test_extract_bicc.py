"""Extracts of a job: which files are a store's, when they may be read, and what their manifest is held against."""

from __future__ import annotations

import hashlib
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tieout.errors import SourceError
from tieout.extract import Window
from tieout.extract.bicc import Extracts
from tieout.spec import Connection, Stream

GL = "fscmtopmodelam_finextractam_glbiccextractam"
LINES = f"{GL}_journallineextractpvo"
ALL = Window(None, datetime(2026, 6, 30, tzinfo=UTC), full=True)
LEDGER = "JeHeaderId,JeLineNum,GlJeLinesAccountedDr,GlJeLinesLastUpdateDate\n"
ROW = LEDGER + "1,1,5.00,2026-06-30 10:00:00\n"


def connection(folder: Path) -> Connection:
    options = {"base_url": "https://pod.fa.ocs.oraclecloud.com", "extracts": str(folder)}
    return Connection(name="erp", system="oracle", auth="basic", time_zone="America/New_York", options=options)


def store(name: str) -> Stream:
    return connection(Path(".")).source.stream(name)


def put(folder: Path, name: str, text: str) -> str:
    """One file of a job; its line in the manifest."""
    path = folder / f"file_{name}.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"file_{name}.csv", text)
    return f"{path.name};{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}\n"


def manifest(folder: Path, *lines: str, stamp: str = "20260630_000000") -> None:
    (folder / f"{stamp}-MANIFEST.MF").write_text("".join(lines))


def read(folder: Path, name: str = "JournalLine") -> list[tuple[str, ...]]:
    """The first values of each row that is delivered."""
    extracts = Extracts(connection(folder), {})
    try:
        return [tuple(str(value) for value in row.values())[:3]
                for page in extracts.pages(store(name), ALL) for row in page.body.to_pylist()]
    finally:
        extracts.close()


def test_a_file_that_no_manifest_lists_is_not_read(tmp_path):
    put(tmp_path, f"{LINES}-batch1-20260630_000000", ROW)
    with pytest.raises(SourceError, match=r"no complete file matches .*journallineextractpvo"):
        read(tmp_path)


def test_a_manifest_whose_file_has_not_come_is_waited_for_as_a_whole(tmp_path):
    """A job in several files is read when all of them are there: half of a journal would not balance."""
    listed = [put(tmp_path, f"{LINES}-batch{n}-20260630_000000",
                  LEDGER + f"1,{n},5.00,2026-06-30 10:00:00\n") for n in (1, 2)]
    manifest(tmp_path, *listed)
    late = tmp_path / listed[1].split(";")[0]
    content = late.read_bytes()
    late.unlink()
    with pytest.raises(SourceError, match="waited for: file_.*-batch2-"):
        read(tmp_path)
    late.write_bytes(content)
    assert sorted(row[:2] for row in read(tmp_path)) == [("1", "1"), ("1", "2")]


def test_a_file_that_was_cut_is_refused_and_named(tmp_path):
    line = put(tmp_path, f"{LINES}-batch1-20260630_000000", ROW)
    manifest(tmp_path, line)
    path = tmp_path / line.split(";")[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SourceError, match=r"batch1-20260630_000000\.zip: its md5 is .* was announced"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["../file_x.zip", "/etc/file_x.zip"])
def test_a_manifest_leads_out_of_its_folder_to_nothing(tmp_path, name):
    line = put(tmp_path, f"{LINES}-batch1-20260630_000000", ROW)
    manifest(tmp_path, line, f"{name};{'0' * 32}\n")
    with pytest.raises(SourceError, match="leads out of its folder"):
        read(tmp_path)


def test_an_empty_manifest_is_an_error_not_an_empty_job(tmp_path):
    manifest(tmp_path)
    with pytest.raises(SourceError, match="lists no file"):
        read(tmp_path)


def test_a_store_is_not_another_whose_name_ends_alike(tmp_path):
    """`…_subledgerjournallineextractpvo` and the extract of keys `…_pk` are stores of their own."""
    names = ["xlabiccextractam_subledgerjournallineextractpvo", "glbiccextractam_journallineextractpvo_pk",
             "glbiccextractam_journallineextractpvo"]
    manifest(tmp_path, *[
        put(tmp_path, f"fscmtopmodelam_finextractam_{name}-batch{n}-20260630_000000",
            LEDGER + f"{n},1,5.00,2026-06-30 10:00:00\n") for n, name in enumerate(names, 1)])
    assert [row[0] for row in read(tmp_path)] == ["3"]


def test_a_job_may_leave_out_the_extract_of_keys(tmp_path):
    extracts = Extracts(connection(tmp_path), {})
    assert not extracts.is_delivered(store("JournalLineKeys"))
    put(tmp_path, f"{LINES}_pk-batch1-20260630_000000", "JeHeaderId,JeLineNum\n1,1\n")
    assert extracts.is_delivered(store("JournalLineKeys"))
    extracts.close()


def test_every_store_that_changes_has_an_extract_of_its_keys():
    """An extract of a store tells no deletion, so each one has a list of its keys, with the same key."""
    streams = {stream.name: stream for stream in connection(Path(".")).source.streams if "store" in stream.options}
    lists = {name: stream for name, stream in streams.items() if name.endswith("Keys")}
    assert set(streams) - set(lists) - {f"{name.removesuffix('Keys')}" for name in lists} == {
        "TransactionType", "CodeCombination"}  # set up, and never deleted
    for name, keys in lists.items():
        of = streams[name.removesuffix("Keys")]
        assert (keys.key, keys.mode) == (of.key, "full")
        assert keys.options["store"] == f"{of.options['store']}_pk"
