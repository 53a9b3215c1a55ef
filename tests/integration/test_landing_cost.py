"""What each load cost is in its row of the ledger: of that stream alone, also when it failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.integration.fake_extractor import FakeExtractor, json_page
from tieout import logs
from tieout.errors import SourceError
from tieout.extract import Facts, Page
from tieout.landing.land import land_connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
COLUMNS = "requests, bytes, retries, waited_seconds::float, token_refreshes"


class Costly(FakeExtractor):
    """Each page costs a request, 100 bytes, a retry, half a second of waiting; the login before all of it, another."""

    def now(self) -> datetime:
        self.facts.requests += 1
        return super().now()

    def pages(self, *args: Any, **kwargs: Any) -> Iterator[Page]:
        for page in super().pages(*args, **kwargs):
            if isinstance(page, Exception):
                raise page
            self.facts.bytes += 100
            self.facts.retries += 1
            self.facts.waited_seconds += 0.5
            self.facts.token_refreshes += 1
            yield page


def item(number: int) -> dict[str, str]:
    return {"id": str(number), "itemid": f"I{number}", "lastmodifieddate": "2025-02-01 00:00:00"}


def test_costs_are_of_each_stream_and_the_whole_is_told(netsuite, rows):
    source = Costly({"item": [json_page("item", [item(1)]), json_page("item", [item(2)])],
                     "customer": [json_page("customer", [{"id": "7", "lastmodifieddate": "2025-02-01 00:00:00"}])]},
                    missing=("currency",))  # fmt: skip
    told: list[Facts] = []
    land_connection(netsuite, None, streams=["item", "customer", "currency"], extractor=source, on_facts=told.append)
    found = {name: costs for name, *costs in rows(f"select stream, {COLUMNS} from ops.load")}
    assert found == {"item": [2, 200, 2, 1.0, 2], "customer": [1, 100, 1, 0.5, 1]}
    assert (told[0].requests, told[0].bytes) == (4, 300), "the login is nobody's but the run's"
    assert told[0].notes["not_offered"] == ["currency"]


def test_phases_say_where_the_seconds_went(netsuite, rows):
    pages = {"item": [json_page("item", [item(1)])]}
    for _ in range(2):
        land_connection(netsuite, None, streams=["item"], full=True, extractor=Costly(dict(pages)))
    (first,), (second,) = rows("select phases from ops.load order by batch_id")
    assert set(first) == {"extract", "copy", "archive"}, "the first load is copied straight into the table"
    assert set(second) == {"extract", "copy", "archive", "compare"}
    assert all(0 <= seconds < 30 for phases in (first, second) for seconds in phases.values())


def test_a_failed_load_keeps_its_cost_and_no_secret(netsuite, rows):
    logs.register_secret("told-by-the-vendor")
    pages: list[Any] = [json_page("item", [item(1)]), SourceError("refused: told-by-the-vendor")]
    with pytest.raises(SourceError):
        land_connection(netsuite, None, streams=["item"], extractor=Costly({"item": pages}))
    ((state, error, *costs),) = rows(f"select state, error, {COLUMNS} from ops.load")
    assert (state, error, costs) == ("failed", "SourceError: refused: ***", [2, 100, 1, 0.5, 1])


def test_every_line_of_a_stream_carries_it(netsuite, caplog):
    with caplog.at_level("INFO"), logs.bound(run=3):
        land_connection(netsuite, None, streams=["item"], extractor=Costly({"item": [json_page("item", [item(1)])]}))
    lines = [record for record in caplog.records if record.name == "tieout.landing.land"]
    assert [(line.run, line.connection, line.stream) for line in lines] == [(3, "netsuite", "item")]
