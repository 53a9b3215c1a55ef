"""Shopify's Admin API: GraphQL with a bucket of cost, pages of connections, and bulk operations.

Source: shopify.dev (GraphQL Admin API, API usage). What a stream asks for is made of its columns
(admin_graphql_select.py). Records that belong to an order, such as its lines and its ledger, come with it, and land as
nested streams: an order's stamp moves with all of them.

A large window is read by a bulk operation (admin_graphql_bulk.py), a small one by pages. The vendor counts what a query
asks for, not what it gets: a page that is too costly is asked for smaller. A shop's version that was retired answers as
a later one; that is told, and no error.

Options of a stream: root (the path of the connection), typename, filter (the word of the search that the cursor has),
count, sort, condition, kinds (of bulk operations), single (an object, no connection), by_parent (the word of the search
that names a parent), pages_only, may_be_off (null where the shop has no such feature). Options of a connection: shop,
base_url (another address), api_version, bulk (auto, always, never), bulk_from_records, result_hosts, group_objects,
orders (`recent`: accept that only the last 60 days are seen).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import httpx
import msgspec

from tieout import logs
from tieout.errors import ConfigError, SchemaError, SourceError
from tieout.extract import Facts, Page, Window
from tieout.extract.address import checked_address, origin
from tieout.extract.admin_graphql_auth import AccessToken
from tieout.extract.admin_graphql_bulk import BulkFailed, BulkOperations
from tieout.extract.admin_graphql_errors import ACCESS_DENIED, NO_FIELD, classify, path_of
from tieout.extract.admin_graphql_pages import Pages
from tieout.extract.admin_graphql_select import Shape
from tieout.extract.http import Answer, Call, Client, Damaged, Refused, Verdict, by_status
from tieout.spec import Connection, Stream

log = logs.logger(__name__)

VERSION = "2026-07"
RESULT_HOSTS = ("storage.googleapis.com",)
BULK_FROM = 250  # records
RECENT = timedelta(days=60)
_PAGE_RECORDS = 500  # flat records handed on at once
_SCOPES = "{ currentAppInstallation { accessScopes { handle } } shop { createdAt name ianaTimezone } }"


class _Reply(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")


class AdminGraphqlExtractor:
    """Extractor for one shop: see the module's docstring, and `tieout.extract.Extractor`."""

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
        self._base, self._version = address(connection), str(options.get("api_version") or VERSION)
        self._client = Client.of(
            connection, classify=self._classify, facts=self.facts, origins=(self._base,), transport=transport,
            sleep=sleep, clock=clock)
        self._client.auth = AccessToken(connection, secrets, self._client, self.facts, self._base)
        self._pages = Pages(self._ask, connection.name, connection.defaults.page_size)
        self._bulk = BulkOperations(
            self._ask, self._client, self.facts, connection.name, sleep=sleep,
            hosts=tuple(map(str.lower, _words(options.get("result_hosts")) or RESULT_HOSTS)),
            group=bool(options.get("group_objects")))
        self._how = str(options.get("bulk") or "auto")
        if self._how not in ("auto", "always", "never"):
            raise ConfigError(f"connection {connection.name}: options.bulk is auto, always or never, not {self._how!r}")
        self._shapes: dict[str, Shape | None] = {}
        self._about: dict[str, Any] | None = None

    def __enter__(self) -> AdminGraphqlExtractor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def now(self) -> datetime:
        """The `Date` of the latest answer: a little behind the vendor's clock, never ahead of it."""
        if self._client.date is None:
            self._shop()
        return self._client.date or self._client.clock()

    def available(self, stream: Stream) -> bool:
        """False for payouts of a shop that does not use the vendor's own payments."""
        return bool(stream.explode) or self._shape(stream) is not None

    def by_document(self, stream: Stream) -> bool:
        """What a payout is made of is asked for payout by payout."""
        return "by_parent" in stream.options

    def test(self) -> str:
        """Authenticate, and say where the connection's time zone is not the shop's."""
        shop = self._shop()
        zone = shop["shop"]["ianaTimezone"]
        told = "" if zone == self._connection.time_zone else f"; its days are those of {zone}: set time_zone"
        return f"shop {shop['shop']['name']} at {self._base}, version {self._version}{told}"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `Extractor.pages`."""
        shape = self._shape(stream)
        if shape is None:
            raise SchemaError(f"connection {self._connection.name}: the shop has no {stream.name}",
                              hint="it does not use Shopify Payments: leave the stream out of `streams`")
        if stream.name == "orders":
            self._check_history()
        if parents is not None:
            yield from self._of_parents(stream, shape, parents)
            return
        condition = self._condition(stream, window)
        yield from self._handed_on(shape, self._read(stream, shape, condition, window))

    def _of_parents(self, stream: Stream, shape: Shape, parents: Iterator[str]) -> Iterator[Page]:
        """All records of each parent; the parent is named with the last of them."""
        word = str(stream.options["by_parent"])
        for parent in parents:
            pages = list(self._handed_on(shape, self._pages.all(shape, f"{word}:{parent}")))
            yield from pages[:-1]
            yield replace(pages[-1], parents=(parent,))

    def _handed_on(self, shape: Shape, records: Iterator[dict[str, Any]]) -> Iterator[Page]:
        """Pages of flat records; at least one, which may hold none."""
        is_first = True
        while (batch := list(islice(records, _PAGE_RECORDS))) or is_first:
            body = msgspec.json.encode([shape.record(each) for each in batch])
            yield Page(shape.root.name, body, noise=shape.noise)
            is_first = False

    # --- how it is read

    def _read(self, stream: Stream, shape: Shape, condition: str, window: Window) -> Iterator[dict[str, Any]]:
        if stream.options.get("single"):
            value = self._ask(stream.name, f"{{ {stream.options['root']} {{ {shape.selection.text(1)} }} }}", {})
            yield value[str(stream.options["root"])]
            return
        if self._by_bulk(stream, condition, window):
            try:
                yield from self._in_bulk(stream, shape, condition)
                return
            except BulkFailed as failure:
                log.warning("reading by pages", extra={"stream": stream.name, "reason": str(failure)})
                self.facts.notes.setdefault("bulk_failed", {})[stream.name] = str(failure)
        yield from self._pages.all(shape, condition)

    def _by_bulk(self, stream: Stream, condition: str, window: Window) -> bool:
        if stream.options.get("pages_only") or self._how == "never":
            return False
        if self._how == "always" or not (root := stream.options.get("count")):
            return self._how == "always"
        most = int(self._connection.options.get("bulk_from_records") or BULK_FROM)
        told = self._ask(stream.name, f"query($query: String) {{ {root}(query: $query) {{ count precision }} }}",
                         {"query": condition or None})[str(root)]
        return told["count"] >= most or told["precision"] != "EXACT"

    def _in_bulk(self, stream: Stream, shape: Shape, condition: str) -> Iterator[dict[str, Any]]:
        """The records of a bulk operation; one that failed is started once more."""
        given = f"(query: {msgspec.json.encode(condition).decode()})" if condition else ""
        query = (f"{{ {stream.options['root']}{given} {{ edges {{ node {{ __typename id "
                 f"{shape.selection.text(None)} }} }} }} }}")
        kinds = dict(stream.options.get("kinds") or {})
        records = self._bulk.records(stream.name, query, kinds)
        try:
            first = list(islice(records, 1))
        except BulkFailed as failure:
            log.warning("bulk operation starts again", extra={"stream": stream.name, "reason": str(failure)})
            records = self._bulk.records(stream.name, query, kinds)
            first = list(islice(records, 1))
        yield from first
        yield from records

    def _condition(self, stream: Stream, window: Window) -> str:
        """The search of a window. Stamps are quoted: unquoted, their colons would be read as fields."""
        words = [str(stream.options["condition"])] if "condition" in stream.options else []
        word = stream.options.get("filter")
        if word and not window.full:
            bounds = ((">=", window.start), ("<", window.end))
            words += [f"{word}:{sign}'{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'" for sign, at in bounds if at]
        return " AND ".join(words)

    # --- what the shop serves

    def _shape(self, stream: Stream) -> Shape | None:
        """What is asked for, found out once with one record; None where the shop lacks the feature.

        Optional columns that the version does not know, or the app may not see, are left out; another is a SchemaError.
        """
        if stream.name not in self._shapes:
            self._shapes[stream.name] = self._probed(stream)
        return self._shapes[stream.name]

    def _probed(self, stream: Stream) -> Shape | None:
        nested = [each for each in self._connection.selected() if each.explode and each.parent
                  and each.parent.stream == stream.name]
        without: dict[str, set[str]] = {}
        while True:
            shape = Shape(stream, nested, without)
            try:
                if stream.options.get("single"):
                    return shape
                return shape if self._pages.probe(shape, str(stream.options.get("condition", ""))) else None
            except Refused as refusal:
                if refusal.code not in (NO_FIELD, ACCESS_DENIED):
                    raise
                self._leave_out(shape, refusal, without)

    def _leave_out(self, shape: Shape, refusal: Refused, without: dict[str, set[str]]) -> None:
        stream = shape.root
        path = [word for word in path_of(refusal.reason) if word.isidentifier() and word != "query"]
        root = str(stream.options["root"]).split(".")
        lost = shape.columns_at(path[len(root):]) if path[:len(root)] == root else []
        if not lost or not all(column.optional for _, column in lost):
            named = ", ".join(f"{name}.{column.name}" for name, column in lost) or "what is asked for"
            raise SchemaError(
                f"connection {self._connection.name}: {named} is not served: {refusal.reason}",
                hint=refusal.hint or f"another path is told under `fields.{stream.name}`, or the app lacks a scope",
            ) from None
        for name, column in lost:
            without.setdefault(name, set()).add(column.name)
        self.facts.notes.setdefault("absent_fields", {})[stream.name] = sorted(
            column for columns in without.values() for column in columns)

    def _shop(self) -> dict[str, Any]:
        if self._about is None:
            self._about = self._ask("shop", _SCOPES, {})
        return self._about

    def _check_history(self) -> None:
        """Without the scope read_all_orders, orders of more than 60 days ago are not there, and nothing says so."""
        told = self._shop()
        if "read_all_orders" in {one["handle"] for one in told["currentAppInstallation"]["accessScopes"]}:
            return
        opened = datetime.fromisoformat(told["shop"]["createdAt"].replace("Z", "+00:00"))
        if self.now() - opened <= RECENT:
            return
        if self._connection.options.get("orders") == "recent":
            self.facts.notes["orders_of_60_days_only"] = True
            log.warning("the app lacks read_all_orders: orders of more than 60 days ago and their changes are not seen")
            return
        raise SourceError(
            f"connection {self._connection.name}, stream orders: the app lacks the scope read_all_orders, so the "
            "vendor leaves out all orders of more than 60 days ago, and says nothing",
            hint="ask Shopify to grant read_all_orders; or set options.orders: recent, and know that changes of older "
            "orders are not seen")

    # --- requests

    def _classify(self, answer: Answer) -> Verdict:
        return classify(answer) if origin(answer.url) == origin(self._base) else by_status(answer)

    def _ask(self, about: str, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of one answer."""
        call = Call("POST", f"{self._base}/admin/api/{self._version}/graphql.json", about,
                    headers={"accept": "application/json"}, json={"query": query, "variables": dict(variables)})
        return self._client.request(call, self._data)

    def _data(self, answer: Answer) -> dict[str, Any]:
        served = answer.headers.get("x-shopify-api-version")
        if served and served != self._version and "api_version_served" not in self.facts.notes:
            self.facts.notes["api_version_served"] = served
            log.warning("the shop answers as another version", extra={"asked": self._version, "served": served})
        try:
            found = msgspec.json.decode(answer.body, type=_Reply)
            data = _decode(found.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Damaged(str(error)) from None
        if not isinstance(data, dict):
            raise Damaged("the answer holds neither data nor errors")
        return data


_decode = msgspec.json.Decoder(dict[str, Any] | None, float_hook=str).decode  # a number keeps every digit


def address(connection: Connection) -> str:
    """The shop's address: its own, unless another one is told."""
    where = f"connection {connection.name}: options"
    if connection.options.get("base_url"):
        return checked_address(str(connection.options["base_url"]), f"{where}.base_url")
    shop = str(connection.options["shop"])
    if not shop or not all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in shop):
        raise ConfigError(f"{where}.shop: {shop!r} is not the name of a shop",
                          hint="the first word of its address: acme of acme.myshopify.com")
    return f"https://{shop.lower()}.myshopify.com"


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value or ()))
