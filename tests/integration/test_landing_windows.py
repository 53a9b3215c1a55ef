"""Which window each stream gets: no gap, no skipped month, parents first, feeds last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.conftest import END
from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout.errors import ConfigError, SourceError
from tieout.extract import Window
from tieout.landing.land import land_connection
from tieout.spec import Connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

HOUR = timedelta(hours=1)
OVERLAP = timedelta(hours=2)


def run(netsuite: Connection, now: datetime = END, **options: object) -> Window:
    """Land customers; the window that was asked for."""
    source = FakeExtractor(now=now)
    land_connection(netsuite, None, extractor=source, **{"streams": ["customer"], **options})
    ((_, window, _),) = source.asked
    return window


def test_first_run_starts_at_the_beginning_and_the_next_where_it_ended(netsuite: Connection) -> None:
    assert run(netsuite, start=END - HOUR, end=END) == Window(None, END, full=True)
    assert run(netsuite, END + HOUR, start=END, end=END + HOUR) == Window(END - OVERLAP, END + HOUR)


def test_missed_runs_are_caught_up(netsuite: Connection) -> None:
    run(netsuite, end=END)
    late = END + 9 * HOUR
    assert run(netsuite, late, start=late - HOUR, end=late) == Window(END - OVERLAP, late)


def test_end_is_cut_to_the_vendors_now(netsuite: Connection) -> None:
    run(netsuite, end=END)
    assert run(netsuite, END + HOUR, start=END, end=END + 5 * HOUR).end == END + HOUR
    assert run(netsuite, END + 2 * HOUR).start == END + HOUR - OVERLAP, "what was cut comes with the next run"


def test_backfill_takes_exactly_its_window_and_moves_no_cursor(netsuite: Connection) -> None:
    run(netsuite, end=END)
    start = END - timedelta(days=90)
    window = run(netsuite, start=start, end=start + timedelta(days=30), backfill=True)
    assert window == Window(start - OVERLAP, start + timedelta(days=30))
    assert run(netsuite, END + HOUR).start == END - OVERLAP


def test_backfill_of_some_month_is_no_proof_of_what_lies_before_it(netsuite: Connection) -> None:
    run(netsuite, start=END - 9 * HOUR, end=END, backfill=True)
    assert run(netsuite, END + HOUR, start=END, end=END + HOUR).start is None


def test_failed_window_is_read_again(netsuite: Connection) -> None:
    run(netsuite, end=END)

    def fail(window, parents):
        raise SourceError("netsuite: 503", hint="again")

    with pytest.raises(SourceError):
        land_connection(
            netsuite, None, streams=["customer"], extractor=FakeExtractor({"customer": fail}, now=END + HOUR)
        )
    assert run(netsuite, END + 2 * HOUR).start == END - OVERLAP


def test_full_reads_everything(netsuite: Connection) -> None:
    run(netsuite, end=END)
    assert run(netsuite, END + HOUR, full=True) == Window(None, END + HOUR, full=True)


def test_order_parents_before_lines_feeds_last_and_unavailable_streams_left_out(netsuite: Connection) -> None:
    source = FakeExtractor({"transaction": [json_page("transaction", [{"id": "1"}])]}, missing=("subsidiary",))
    told = []
    results = land_connection(netsuite, None, extractor=source, on_progress=told.append)
    names = [result.stream for result in results]
    assert names[-1] == "deletedrecord"
    assert names.index("transaction") < names.index("transactionline")
    assert "subsidiary" not in names and len(names) == len(netsuite.selected()) - 1
    assert told == results
    assert source.closed


def test_backfill_reads_the_lines_of_every_document_in_its_window(netsuite: Connection) -> None:
    documents = {
        "transaction": [json_page("transaction", [{"id": "1", "lastmodifieddate": "2025-05-02 00:00:00"}])],
        "transactionline": [],
    }
    names = ["transaction", "transactionline"]
    land_connection(netsuite, None, streams=names, extractor=FakeExtractor(documents))
    again = FakeExtractor(documents, now=END + HOUR)
    land_connection(netsuite, None, streams=names, extractor=again)
    assert [(name, keys) for name, _, keys in again.asked] == [("transaction", None), ("transactionline", None)], (
        "unchanged documents do not re-read their lines: only the lines' own stamps are asked"
    )
    backfill = FakeExtractor(documents, now=END + HOUR)
    land_connection(
        netsuite,
        None,
        streams=names,
        start=datetime(2025, 5, 1, tzinfo=UTC),
        end=END,
        backfill=True,
        extractor=backfill,
    )
    assert [(name, keys) for name, _, keys in backfill.asked] == [
        ("transaction", None),
        ("transactionline", None),
        ("transactionline", ["1"]),
    ]


def test_unknown_stream_is_named(netsuite: Connection) -> None:
    with pytest.raises(ConfigError, match="invoices.*(.|\n)*known: transaction"):
        land_connection(netsuite, None, streams=["invoices"], extractor=FakeExtractor())


def test_backfill_that_reaches_past_the_front_leaves_no_seam(netsuite: Connection) -> None:
    """What was committed late before the front is read by the next window, whoever asks for it."""
    run(netsuite, end=END)
    later = END + 12 * HOUR
    window = run(netsuite, later, start=END + HOUR, end=later, backfill=True)
    assert window.start == END - OVERLAP, "not an hour later: the next scheduled window starts at this one's end"
    assert run(netsuite, later + HOUR).start == later - OVERLAP


def test_backfill_beyond_the_front_is_no_part_of_what_is_covered(netsuite: Connection) -> None:
    run(netsuite, end=END)
    later = END + 12 * HOUR
    assert run(netsuite, later, start=END + 6 * HOUR, end=later, backfill=True).start == END + 4 * HOUR
    assert run(netsuite, later + HOUR).start == END - OVERLAP
