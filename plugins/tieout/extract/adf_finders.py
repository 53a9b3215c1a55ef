"""Resources that are served by a finder only: rates for a pair of currencies, balances for a ledger and a period.

What the finder's variables may be stands under `each` of the stream's options; every combination is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from tieout.errors import ConfigError, SourceError
from tieout.extract.adf_page import Batch, Record, record_of, value_of
from tieout.extract.adf_query import combinations, finder_text, listing, stretches
from tieout.extract.adf_read import Reader, Request
from tieout.extract.http import Client, Refused
from tieout.spec import Connection, Stream


class Finders:
    """One connection's. `request` makes a stream's request, `listed` reads all records of a short list."""

    def __init__(
        self, connection: Connection, client: Client, reader: Reader, request: Callable[[Stream], Request],
        listed: Callable[[Stream], list[Record]],
    ) -> None:
        self._connection, self._client, self._reader = connection, client, reader
        self._request, self._listed = request, listed
        self._renamed: dict[str, dict[str, str]] = {}
        self._lists: dict[str, list[Record]] = {}

    def all(self, stream: Stream) -> Iterator[Batch]:
        """One collection for each combination of what the finder's variables may be."""
        options = stream.options
        factors = [self._values(stream, spec) for spec in options.get("each", ())]
        error_field = options.get("error_field")
        for values in combinations(factors, options.get("differ", ())):
            for batch in self._found(stream, values):
                if error_field:
                    self._check_told(stream, batch, str(error_field), values)
                yield batch

    def _found(self, stream: Stream, values: dict[str, str]) -> Iterator[Batch]:
        template = str(stream.options["finder"])
        renamed = self._renamed.get(stream.name, {})
        request = replace(self._request(stream), is_keyed=False)
        try:
            yield from self._reader.all(replace(request, finder=finder_text(template, values, renamed)))
        except Refused as refusal:
            others = {str(k): str(v) for k, v in (stream.options.get("alternatives") or {}).items()}
            if refusal.status != 400 or renamed or not others:
                raise
            found = list(self._reader.all(replace(request, finder=finder_text(template, values, others))))
            self._renamed[stream.name] = others
            yield from found

    def _values(self, stream: Stream, spec: dict[str, Any]) -> list[dict[str, str]]:
        """What one entry of `each` offers: an option of the connection, fields of another resource, or days."""
        where = f"connection {self._connection.name}, stream {stream.name}"
        if "option" in spec:
            word = str(spec["option"])
            found = self._connection.options.get(word) or spec.get("default")
            if not found:
                raise ConfigError(f"{where}: options.{word} is needed", hint="or leave the stream out of `streams`")
            return [{spec["as"]: each} for each in listing(found, f"{where}: options.{word}")]
        today, first = self._client.time().date(), date.fromisoformat(self._connection.start_date)
        if "days" in spec:
            return stretches(first, today, int(spec["days"]), spec["as"])
        if "resource" in spec:
            records = self._list(str(spec["resource"]))
            if "start" in spec:  # periods that have begun, and are not before the first day of interest
                records = [r for r in records if str(value_of(r, spec["start"]))[:10] <= today.isoformat()
                           and str(value_of(r, spec["end"]))[:10] >= first.isoformat()]
            return [{word: str(value_of(each, field)) for word, field in spec["as"].items()} for each in records]
        raise ConfigError(f"{where}: `each` is one of option, resource, days", hint="see source.yml")

    def _list(self, stream_name: str) -> list[Record]:
        """All records of a short list, read once."""
        if stream_name not in self._lists:
            self._lists[stream_name] = self._listed(self._connection.source.stream(stream_name))
        return self._lists[stream_name]

    def _check_told(self, stream: Stream, batch: Batch, field: str, values: dict[str, str]) -> None:
        for raw in batch.items:
            if text := value_of(record_of(raw), field):
                shown = ", ".join(f"{word} {value}" for word, value in values.items())
                raise SourceError(f"connection {self._connection.name}, stream {stream.name} ({shown}): {text}",
                                  hint="the vendor answers 200 and tells the failure in the record")
