"""Oracle's ADF REST framework, in which Fusion applications serve their resources.

Source: REST API for Oracle Fusion Cloud Financials / Common Features (collection parameters, framework versions).

A stream's `options` say how it is asked for:
    resource   the collection; the stream's name unless told. api: `crm` for /crmRestApi, else /fscmRestApi.
    keyset     its surrogate key, by which pages go (adf_read.py). Without one they go by offset, in `order`.
    path       a child below the resource: `lines`, `journalHeaders.journalLines`. inherit: {its field: field above}.
    uniqid     a field for the hash by which its own address calls a record that has no simple key.
    recheck    a condition on the resource: whose children may change while it keeps its own stamp.
    finder     a template with {variables}; `each` says their values, `differ` which may not be equal, `alternatives`
               how other releases call a variable. error_field: where such an answer tells its failure, with status 200.
    projection false: ask without `fields`, because the resource fails with some of them.
    grant      {option of the connection: attribute}: what the user must be granted to see.
    may_be_empty  no record at all is no sign of a missing grant.
    store      a data store of file extracts (bicc.py); replaced_by: the stream that tells the same from such files.
               if_delivered: a job may leave it out.

A user whom no data is granted is answered 200 and an empty list. So a stream without a single record is an error that
says so, unless it may be empty; and what `business_units` and `ledgers` of the connection name must be seen.

Options of a connection: base_url, framework_version, paging (`offset` where keys cannot be queried), children (`links`
where `expand` fails), totals, business_units, ledgers, currencies, rate_types, may_be_empty, extracts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from tieout import logs
from tieout.errors import ConfigError, SchemaError, SourceError
from tieout.extract import MANNERS, Facts, Page, Window
from tieout.extract.address import checked_address
from tieout.extract.adf_auth import credential
from tieout.extract.adf_errors import classify
from tieout.extract.adf_finders import Finders
from tieout.extract.adf_page import (
    Batch,
    Capped,
    Record,
    child_links,
    descendants,
    is_within,
    listed,
    record_of,
    value_of,
    with_own_key,
)
from tieout.extract.adf_query import (
    chunks,
    expansion,
    listing,
    literal,
    name,
    nested,
    window_conditions,
)
from tieout.extract.adf_read import Reader, Request
from tieout.extract.ahead import read_ahead
from tieout.extract.http import Client, Refused
from tieout.spec import Connection, Stream

if TYPE_CHECKING:
    from tieout.extract.bicc import Extracts
    from tieout.extract.deliveries import Delivery, KnownFile

log = logs.logger(__name__)

RELEASE = "11.13.18.05"
_APIS = {"fscm": "fscmRestApi", "crm": "crmRestApi"}
_NOISE = MANNERS["adf_rest"][0]


class NotGranted(SourceError):
    """An empty answer that is no sign of emptiness: the user lacks the data grant."""


class AdfRestExtractor:
    """Extractor for one pod: see the module's docstring, and `tieout.extract.Extractor`."""

    at_hand = False

    def __init__(
        self,
        connection: Connection,
        secrets: dict[str, str],
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.facts = Facts()
        self._connection, options = connection, connection.options
        where = f"connection {connection.name}: options"
        self._base = checked_address(str(options["base_url"]), f"{where}.base_url")
        self._by_offset = options.get("paging") == "offset"
        version = int(options.get("framework_version") or 4)
        # Version 1 nests a plain list, which does not say when it was cut.
        self._by_links = options.get("children") == "links" or version < 2
        self._may_be_empty = frozenset(listing(options.get("may_be_empty", ()), f"{where}.may_be_empty"))
        self._client = Client.of(
            connection, classify=classify, facts=self.facts, origins=(self._base,), transport=transport,
            sleep=sleep, clock=clock)
        self._client.auth = credential(connection, secrets, self._client, self.facts)
        self._reader = Reader(self._client, version=version, limit=connection.defaults.page_size)
        self._fields: dict[str, str] = {}  # of streams whose declared attributes are not all served
        self._finders = Finders(connection, self._client, self._reader, self._request, self._listed)
        self._granted: set[tuple[str, str]] = set()
        self._extracts = self._opened(connection, secrets)

    def __enter__(self) -> AdfRestExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()
        if self._extracts:
            self._extracts.close()

    @staticmethod
    def _opened(connection: Connection, secrets: dict[str, str]) -> Extracts | None:
        if not connection.options.get("extracts"):
            return None
        from tieout.extract.bicc import Extracts

        return Extracts(connection, secrets)

    def now(self) -> datetime:
        """The `Date` of the latest answer: a little behind the vendor's clock, never ahead of it."""
        if self._client.date is None:
            self.test()
        return self._client.date or self._client.clock()

    def available(self, stream: Stream) -> bool:
        """Of what comes in two forms, the one that this connection has: file extracts where their folder is told."""
        if stream.options.get("if_delivered") and self._extracts:
            return self._extracts.is_delivered(stream)
        return ("replaced_by" if self._extracts else "store") not in stream.options

    def is_delivered(self, stream: Stream) -> bool:
        """A stream of file extracts comes in deliveries, all others in windows."""
        return "store" in stream.options

    def deliveries(self, stream: Stream, window: Window, known: Collection[KnownFile]) -> Iterator[Delivery]:
        """See `Delivers`."""
        yield from self._extracts.deliveries(stream, window, known)
        self.facts.notes.update(self._extracts.facts.notes)  # what is waited for, and what came too late

    def test(self) -> str:
        """Authenticate and ask for one record."""
        plain = (s for s in self._connection.selected() if "store" not in s.options and "path" not in s.options
                 and "finder" not in s.options)
        stream = next(plain, None)
        if stream is None:
            raise ConfigError(f"connection {self._connection.name}: no stream can be asked for by itself")
        self._has_any(stream)
        return f"ADF REST service at {self._base}"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `Extractor.pages`. A child stream without `parents` is read whole, or where its `recheck` says."""
        if "store" in stream.options:
            yield from self._extracts.pages(stream, window)
            return
        self._check_grants(stream)
        if parents is not None:
            yield from self._children_of(stream, parents)
            return
        count = 0
        for page, rows in self._found(stream, window):
            count += rows
            yield page
        if count == 0:
            self._check_empty(stream, window)

    def _found(self, stream: Stream, window: Window) -> Iterator[tuple[Page, int]]:
        if "path" in stream.options:
            yield from self._all_children(stream, window)
            return
        if "finder" in stream.options:
            for batch in self._finders.all(stream):
                yield Page(stream.name, batch.body, records="items", noise=_NOISE), len(batch.items)
            return
        request = self._request(stream)
        if stream.mode == "incremental" and stream.cursor and not window.full:
            field = stream.column(stream.cursor).field
            request = replace(request, conditions=window_conditions(field, window.start, window.end))
        elif self._connection.options.get("totals"):
            request = replace(request, totals=True)
        own = stream.options.get("uniqid")
        where = f"connection {self._connection.name}, stream {stream.name}"
        for batch in self._checked(stream, replace(request, only_data=not own)):
            if own:
                yield self._page(stream, [with_own_key(raw, own, where) for raw in batch.items]), len(batch.items)
            else:
                yield Page(stream.name, batch.body, records="items", noise=_NOISE), len(batch.items)

    # --- what is asked for

    def _request(self, stream: Stream) -> Request:
        """The stream's resource as a collection, with the declared fields of a stream that is one itself."""
        options, is_child = stream.options, "path" in stream.options
        keyset = options.get("keyset")
        is_keyed = bool(keyset) and not self._by_offset
        key = (str(keyset),) if keyset else tuple(stream.column(word).field for word in stream.key)
        order = str(options.get("order") or ",".join(f"{name(word)}:asc" for word in key))
        fields = "" if is_child or options.get("projection") is False else self._fields.get(stream.name) or ",".join(
            dict.fromkeys(name(c.field) for c in stream.columns if c.field and c.field != options.get("uniqid")))
        return Request(stream.name, self._url(stream), key, is_keyed, fields=fields, order="" if is_keyed else order)

    def _has_any(self, stream: Stream, *conditions: str) -> bool:
        """Whether there is a record, asked with as little as possible."""
        request = self._request(stream)
        probe = replace(request, conditions=conditions, fields=request.key[0] if request.fields else "")
        return bool(self._reader.page(probe, limit=1).items)

    def _url(self, stream: Stream) -> str:
        api = _APIS[str(stream.options.get("api", "fscm"))]
        resource = name(str(stream.options.get("resource", stream.name)))
        return f"{self._base}/{api}/resources/{RELEASE}/{resource}"

    def _checked(self, stream: Stream, request: Request) -> Iterator[Batch]:
        """All rows; a refusal of the fields becomes one that names the field."""
        try:
            yield from self._reader.all(request)
        except Refused as refusal:
            if refusal.status != 400 or not request.fields:
                raise
            self._fields[stream.name] = self._served(stream, refusal)
            yield from self._reader.all(replace(request, fields=self._fields[stream.name]))

    def _listed(self, stream: Stream) -> list[Record]:
        """All records of a short list."""
        found = [record_of(raw) for batch in self._checked(stream, self._request(stream)) for raw in batch.items]
        if not found:
            self._check_empty(stream, Window(None, self.now(), full=True))
        return found

    def _served(self, stream: Stream, refusal: Refused) -> str:
        """The declared fields that `describe` knows. SchemaError where one is missing that is not optional."""
        known = self._described(stream)
        lost = [c for c in stream.columns if c.field and c.field not in known]
        if not lost:
            raise refusal
        if not all(column.optional for column in lost):
            absent = ", ".join(c.field for c in lost if not c.optional)
            raise SchemaError(
                f"connection {self._connection.name}: {stream.name} has no attribute {absent}",
                hint=f"a release without it, or a role that may not see it; another name is told under "
                f"`fields.{stream.name}`") from None
        self.facts.notes.setdefault("absent_fields", {})[stream.name] = sorted(c.field for c in lost)
        return ",".join(dict.fromkeys(c.field for c in stream.columns if c.field in known))

    def _described(self, stream: Stream) -> set[str]:
        from tieout.extract.adf_describe import attributes

        return attributes(self._client, self._url(stream), stream.name)

    # --- children

    def _children_of(self, stream: Stream, parents: Iterator[str]) -> Iterator[Page]:
        """The children of the parents, chunk by chunk; a parent that is gone has none."""
        root = name(str(stream.options["keyset"]))
        where = f"connection {self._connection.name}, parents of {stream.name}"
        groups = chunks(parents, where)

        def read(group: tuple[str, ...]) -> list[Record]:
            request = replace(self._request(stream), conditions=(f"{root} IN ({','.join(group)})",))
            return [child for _, found in self._with_children(stream, request) for child in found]

        for group, records in read_ahead(groups, read, self._client.max_concurrency):
            yield self._page(stream, records, group)

    def _all_children(self, stream: Stream, window: Window) -> Iterator[tuple[Page, int]]:
        """Everything; in a window only what changed by its own stamp, below the parents that `recheck` names."""
        request, recheck = self._request(stream), stream.options.get("recheck")
        by_stamp = not window.full and stream.mode == "incremental" and stream.cursor is not None
        if by_stamp and not recheck:
            return
        if by_stamp:
            request = replace(request, conditions=(str(recheck),))
        for roots, records in self._with_children(stream, request):
            if by_stamp:
                field = stream.column(stream.cursor).field
                records = [each for each in records if is_within(each, field, window.start, window.end)]
            yield self._page(stream, records), max(len(records), roots if by_stamp else 0)
        if by_stamp:
            yield self._page(stream, []), 1  # nothing below open documents is no sign of anything

    def _with_children(self, stream: Stream, request: Request) -> Iterator[tuple[int, list[Record]]]:
        """(parents, records of the stream below them), a page of parents at a time."""
        path, inherit = nested(str(stream.options["path"])), dict(stream.options.get("inherit") or {})
        expand = "" if self._by_links else expansion(path)
        where = f"connection {self._connection.name}, stream {stream.name}"
        for batch in self._reader.all(replace(request, expand=expand, only_data=not self._by_links)):
            records: list[Record] = []
            for raw in batch.items:
                root = record_of(raw)
                try:
                    records += list(self._walked(stream, root, path, inherit) if self._by_links
                                    else descendants(root, path, inherit, where))
                except Capped:
                    records += list(self._walked(stream, self._linked(request, root), path, inherit))
            yield len(batch.items), records

    def _linked(self, request: Request, root: Record) -> Record:
        """The same parent with its links, which an answer of data only leaves out."""
        key = request.key[0]
        asked = replace(request, conditions=(f"{key}={literal(value_of(root, key))}",), expand="", only_data=False)
        found = self._reader.page(asked, limit=1).items
        return record_of(found[0]) if found else root

    def _walked(
        self, stream: Stream, record: Record, path: tuple[str, ...], inherit: dict[str, str]
    ) -> Iterator[Record]:
        """The records below by their own collections. Their addresses hold opaque keys, so links are followed."""
        above = {child: record[field] for child, field in inherit.items() if field in record}
        child, *rest = path
        if (url := child_links(record).get(child)) is None:
            raise SourceError(f"connection {self._connection.name}, stream {stream.name}: no link to {child}",
                              hint="the user's role may not see that child resource")
        self._client.check(url, stream.name)
        own = tuple(stream.column(word).field for word in stream.key if stream.column(word).field not in inherit)
        # Of what lies between, the key is what it hands down: `journalHeaders` of `journalLines` have JeHeaderId.
        key = own if not rest else tuple(field for child_field, field in inherit.items() if child_field not in above)
        order = ",".join(f"{name(field)}:asc" for field in key)
        request = Request(stream.name, url, key, order=order, only_data=not rest)
        for batch in self._reader.all(request):
            for raw in batch.items:
                found = record_of(raw)
                if rest:
                    yield from ({**above, **below} for below in self._walked(stream, found, tuple(rest), inherit))
                else:
                    found.pop("links", None)
                    yield {**above, **found}

    def _page(self, stream: Stream, records: list[Record], parents: tuple[str, ...] = ()) -> Page:
        return Page(stream.name, listed(records), parents=parents, noise=_NOISE)

    # --- what the user may see

    def _check_grants(self, stream: Stream) -> None:
        """Each unit or ledger that the connection names is seen: a missing grant looks like no data."""
        for option, field in dict(stream.options.get("grant") or {}).items():
            wanted = listing(self._connection.options.get(option) or (), f"options.{option}")
            for each in wanted:
                if (stream.name, each) in self._granted:
                    continue
                if not self._has_any(stream, f"{name(field)}={literal(each)}"):
                    raise NotGranted(
                        f"connection {self._connection.name}, stream {stream.name}: no record of {field} {each!r}",
                        hint="Oracle answers 200 with an empty list where the user lacks the data grant (Manage Data "
                        f"Access for Users); a unit that never had a record is left out of options.{option}")
                self._granted.add((stream.name, each))

    def _check_empty(self, stream: Stream, window: Window) -> None:
        """No record came. In a window that says little; without one it means that nothing is granted."""
        if stream.options.get("may_be_empty") or stream.name in self._may_be_empty:
            return
        is_whole = window.full or stream.mode == "full"
        if not is_whole and self._has_any(stream):
            return
        raise NotGranted(
            f"connection {self._connection.name}, stream {stream.name}: 200, and not a single record",
            hint="Oracle answers so where the user lacks the data grant for its business units or ledgers; if there is "
            "really nothing yet, name the stream under options.may_be_empty")
