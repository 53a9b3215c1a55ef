"""The Singer SDK's standard tests of a target, on ours.

The adapter drafts the streams from the messages (a company declares them), lands, and says in the SDK's words what we
say in ours: records without a key are quarantined here, and the SDK wants MissingKeyPropertiesError for them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import pytest
from singer_sdk import Target
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException
from singer_sdk.testing import get_target_test_class

from tests.integration.doors import made
from tests.integration.own_system import rows
from tieout.errors import SourceError
from tieout.extract.singer import SingerExtractor
from tieout.extract.singer_draft import drafted
from tieout.landing.windows import land_connection

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")
LANDED: Counter[str] = Counter()


class TieoutTarget(Target):
    """Hands the lines to our extractor when the pipe ends, and relays the state that is committed then."""

    name = "target-tieout"
    config_jsonschema = {"properties": {}}

    def process_lines(self, file_input: Iterable[str]) -> None:
        """Keep them."""
        self._said = [line.rstrip("\n").encode() for line in file_input]

    def process_endofpipe(self) -> None:
        """Land, and compare with what was sent."""
        streams = drafted(b"\n".join(self._said))
        connection = made("singer", streams, name="sdk", command="none")
        try:
            with SingerExtractor(connection, {}, lines=self._said) as extractor:
                results = land_connection(connection, None, extractor=extractor)
        except SourceError as error:
            if "before the stream's SCHEMA" in str(error):
                raise RecordsWithoutSchemaException(str(error)) from error
            raise
        sent = Counter(told["stream"] for told in map(json.loads, self._said) if told["type"] == "RECORD")
        got = {one.stream: one.received for one in results}
        assert sorted(got.values()) == sorted(sent.get(s["options"]["tap_stream"], 0) for s in streams.values())
        LANDED.update({one.stream: one.landed + one.unchanged for one in results})
        codes = {code for (code,) in rows("select reason_code from ops.quarantine")}
        if "missing_key" in codes:
            raise MissingKeyPropertiesError
        assert codes <= {"nul_in_text"}, codes
        for (value,) in rows("select value from ops.source_state where value is not null"):
            print(value)


TestTieoutTarget = get_target_test_class(target_class=TieoutTarget, config={})


def test_the_standard_tests_landed_records():
    """The population: all of the above would pass with a target that lands nothing."""
    assert LANDED["test_array_data"] == 4 and LANDED["test_schema_updates"] == 6
    assert LANDED["test_strings"] == 10, "the eleventh holds a NUL and is quarantined"
    assert sum(LANDED.values()) > 30, LANDED
