"""What a backfill asks for: windows that cover the days of a zone, and one identity for one request."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tieout.errors import ConfigError
from tieout.landing.backfill import Request

LOW, HIGH = date(2026, 2, 26), date(2026, 3, 3)


@pytest.mark.parametrize("days", [1, 2, 7])
def test_windows_cover_the_span_without_gap_or_overlap(days):
    request = Request("crm", LOW, HIGH, days)
    windows = request.windows()
    assert (windows[0][0], windows[-1][1]) == request.span
    assert all(before[1] == after[0] for before, after in zip(windows[:-1], windows[1:], strict=True))
    assert len(windows) == -(-5 // days)


def test_days_of_a_zone_begin_at_its_midnight_and_one_of_them_is_an_hour_short():
    windows = Request("erp", date(2026, 3, 7), date(2026, 3, 10), 1, "America/Los_Angeles").windows()
    assert windows[0][0] == datetime(2026, 3, 7, 8, tzinfo=UTC)
    assert windows[-1][1] == datetime(2026, 3, 10, 7, tzinfo=UTC)
    assert [high - low for low, high in windows] == [timedelta(hours=24), timedelta(hours=23), timedelta(hours=24)]


def test_an_empty_span_is_refused():
    with pytest.raises(ConfigError, match="--to is the day after the last"):
        Request("crm", LOW, LOW)


def test_the_same_request_is_the_same_whatever_the_order_of_streams():
    one, other = (Request("crm", LOW, HIGH, streams=names) for names in (("a", "b"), ("b", "a")))
    assert one.arguments == other.arguments
    different = [Request("crm", LOW, HIGH), Request("crm", LOW, HIGH, 2), Request("crm", LOW, HIGH, source="archive"),
                 Request("crm", LOW, HIGH, zone="Asia/Tokyo"), one]
    assert len({str(request.arguments) for request in different}) == len(different)
