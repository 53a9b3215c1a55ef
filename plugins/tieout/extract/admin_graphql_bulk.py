"""Bulk operations of the Admin API: start, wait, read the file, put its lines together.

Source: shopify.dev, "Perform bulk operations with the GraphQL Admin API". The result is JSON Lines: a record of a
connection is a line of its own that names its parent in `__parentId`, in any order. The file lies on a host of the
vendor's storage, under an address that is signed and ends; only the hosts that the connection allows are asked, and no
token is sent there. A failed operation may leave a part of its data: it is never taken for the whole.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tieout import logs
from tieout.errors import RateLimitError, SourceError, UnsafeLinkError
from tieout.extract import Facts
from tieout.extract.address import is_loopback, origin, safe_url
from tieout.extract.http import Client, Refused
from tieout.extract.pieces import pieces

log = logs.logger(__name__)

LONGEST = 24 * 3600  # seconds that an operation may take
LONGEST_QUEUE = 2 * 3600  # seconds to wait for others' operations to end
_FIRST_POLL, _SLOWEST_POLL = 0.25, 30.0
_RUNNING = frozenset({"CREATED", "RUNNING", "CANCELING"})
_BUSY = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
_GID = re.compile(r"gid://shopify/BulkOperation/\d+")
_FIELDS = ("id status errorCode createdAt objectCount rootObjectCount fileSize url partialDataUrl query")
_START = ("mutation($query: String!, $group: Boolean!) { bulkOperationRunQuery(query: $query, groupObjects: $group) "
          "{ bulkOperation { id status } userErrors { field message code } } }")
_POLL = "query($id: ID!) { node(id: $id) { ... on BulkOperation { " + _FIELDS + " } } }"
_CANCEL = ("mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { id status } "
           "userErrors { field message } } }")
_decode = msgspec.json.Decoder(float_hook=str).decode

Ask = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]


class BulkFailed(Exception):
    """The vendor could not finish; nothing of it was read. The caller may read by pages."""


class BulkOperations:
    """Runs bulk operations of one shop. `ask(about, query, variables)` gives the data of an answer.

    hosts: names of the hosts (with a port, where one is needed) that may serve results.
    """

    def __init__(self, ask: Ask, client: Client, facts: Facts, connection: str, *, hosts: tuple[str, ...],
                 group: bool = False, sleep: Callable[[float], None] = time.sleep) -> None:
        self._ask, self._client, self._facts, self._connection = ask, client, facts, connection
        self._hosts, self._group, self._sleep = hosts, group, sleep

    def records(self, about: str, query: str, kinds: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The root records of `query`, each with its connections as lists.

        kinds: {path of a connection: how the type of its records ends}. BulkFailed comes before the first record.
        """
        done = self._run(about, query)
        with closing(Heap(f"connection {self._connection}, stream {about}", kinds)) as heap:
            for line in self._lines(about, done):
                heap.add(line)
            expected = int(done.get("rootObjectCount") or 0)
            if heap.roots != expected:
                raise self._error(about, f"bulk operation {done['id']} announced {expected} records and served "
                                         f"{heap.roots}")
            yield from heap.records()

    # --- the operation

    def _run(self, about: str, query: str) -> dict[str, Any]:
        """The completed operation."""
        name = self._start(about, query)
        state: dict[str, Any] = {"status": "CREATED"}
        waited, pause = 0.0, _FIRST_POLL
        try:
            while (state := self._poll(about, name))["status"] in _RUNNING:
                if waited > LONGEST:
                    raise self._error(about, f"bulk operation {name} did not end within {LONGEST // 3600} hours")
                self._sleep(pause)
                waited, pause = waited + pause, min(pause * 1.6, _SLOWEST_POLL)
        except BaseException:
            if state["status"] in _RUNNING:
                self._cancel(about, name)
            raise
        if state["status"] == "COMPLETED":
            return state
        code = state.get("errorCode")
        if state["status"] == "FAILED" and code != "ACCESS_DENIED":
            part = ", and left a part of the data, which is not taken" if state.get("partialDataUrl") else ""
            raise BulkFailed(f"bulk operation {name} failed ({code}){part}")
        raise self._error(about, f"bulk operation {name} ended as {state['status']}{f' ({code})' if code else ''}",
                          "grant the app the scopes for all of its fields" if code == "ACCESS_DENIED" else None)

    def _start(self, about: str, query: str) -> str:
        """The id of an operation for `query`. Others' operations are waited for; one of ours whose creation was never
        answered is found by its query."""
        begun, waited, pause = self._client.time(), 0.0, 2.0
        while True:
            told = self._ask(about, _START, {"query": query, "group": self._group})["bulkOperationRunQuery"]
            if not (errors := told["userErrors"]):
                return told["bulkOperation"]["id"]
            text = "; ".join(one["message"] for one in errors)
            if not any(one.get("code") in _BUSY or "already in progress" in one["message"] for one in errors):
                raise self._error(about, f"the bulk query is refused: {text}", "set options.bulk: never, and report it")
            if found := _GID.search(text):
                other = self._poll(about, found[0])
                if other.get("query") == query and str(other.get("createdAt")) >= f"{begun:%Y-%m-%dT%H:%M:%S}":
                    return found[0]
            if waited > LONGEST_QUEUE:
                raise RateLimitError(
                    f"connection {self._connection}, stream {about}: other bulk operations do not end: {text}",
                    hint="the shop runs few at once for one app; look who else uses this app")
            self._sleep(pause)
            waited, pause = waited + pause, min(pause * 1.6, _SLOWEST_POLL)

    def _poll(self, about: str, name: str) -> dict[str, Any]:
        found = self._ask(about, _POLL, {"id": name}).get("node")
        if not found or found.get("id") != name:
            raise self._error(about, f"the vendor does not know bulk operation {name}")
        return found

    def _cancel(self, about: str, name: str) -> None:
        """No data is lost where this fails: the operation ends by itself."""
        try:
            self._ask(about, _CANCEL, {"id": name})
        except SourceError as error:
            log.warning("bulk operation left running", extra={"operation": name, "reason": str(error)})
            self._facts.notes.setdefault("bulk_operations_left", []).append(name)

    # --- the file

    def _lines(self, about: str, done: dict[str, Any]) -> Iterator[bytes]:
        """The lines of the result. Without any record there is no file."""
        if not done.get("url"):
            if int(done.get("objectCount") or 0):
                raise self._error(about, f"bulk operation {done['id']} has {done['objectCount']} records and no file")
            return
        rest = b""
        for piece in self._pieces(about, done):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line for line in lines if line.strip())
        if rest.strip():
            yield rest

    def _pieces(self, about: str, done: dict[str, Any]) -> Iterator[bytes]:
        """The file in pieces."""
        def allowed(url: str) -> str:
            self._allow(about, url)
            return url

        def failed(refusal: Refused) -> SourceError:
            return self._error(about, f"the file of bulk operation {done['id']} cannot be read: {refusal.reason}",
                               "results are kept for seven days; run again")

        def renew(url: str) -> str:
            return allowed(self._poll(about, done["id"]).get("url") or url)

        at = 0
        for piece in pieces(self._client, about, allowed(done["url"]), renew, failed):
            at += len(piece)
            yield piece
        told = done.get("fileSize")
        if told is not None and int(told) != at:
            raise self._error(about, f"the file of bulk operation {done['id']} has {at} of {told} bytes")

    def _allow(self, about: str, url: str) -> None:
        """Only hosts that the connection names; the vendor's answer could name any."""
        scheme, host, _ = origin(url)
        place = urlsplit(url).netloc.lower()
        safe = scheme == "https" or (scheme == "http" and is_loopback(url))
        if not safe or not ({host, place} & set(self._hosts)):
            raise UnsafeLinkError(
                f"connection {self._connection}, stream {about}: the result lies at {safe_url(url)}, a host that is "
                "not allowed", hint=f"allowed: {', '.join(self._hosts)}; if it is the vendor's, add it to result_hosts")
        self._client.allow(url)

    def _error(self, about: str, what: str, hint: str | None = None) -> SourceError:
        return SourceError(f"connection {self._connection}, stream {about}: {what}", hint=hint or "run again")


class Heap:
    """Lines in any order, on disk, until all are there; then records with what belongs to them."""

    def __init__(self, where: str, kinds: Mapping[str, str]) -> None:
        self._where = where
        # {path of the parent's connection: {connection below: ending of its types}}
        self._below: dict[str, dict[str, str]] = {}
        for path, ending in kinds.items():
            above, _, name = path.rpartition(".")
            self._below.setdefault(above, {})[name] = ending
        self._db = sqlite3.connect("")  # a file without a name, gone when it is closed
        self._db.execute("pragma journal_mode = off")
        self._db.execute("create table line (id text, parent text, body blob)")
        self._waiting: list[tuple[str | None, str | None, bytes]] = []
        self.roots = self.lines = 0

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def add(self, line: bytes) -> None:
        """Keep a line. SourceError for what is no record."""
        try:
            found = _OUTLINE.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceError(f"{self._where}: line {self.lines + 1} of the result is no record: {error}",
                              hint="the file is damaged: run again") from None
        self.lines += 1
        self.roots += found.parent is None
        self._waiting.append((found.id, found.parent, line))
        if len(self._waiting) >= 5_000:
            self._store()

    def _store(self) -> None:
        self._db.executemany("insert into line values (?, ?, ?)", self._waiting)
        self._waiting.clear()

    def records(self) -> Iterator[dict[str, Any]]:
        """The records without a parent, with all below them. SourceError where a line belongs to nothing."""
        self._store()
        self._db.execute("create index by_parent on line (parent)")
        used = 0
        for name, body in self._db.execute("select id, body from line where parent is null order by rowid"):
            record = _decode(body)
            used += 1 + self._fill(name, record, "")
            yield record
        if used != self.lines:
            raise SourceError(f"{self._where}: {self.lines - used} lines of the result belong to no record",
                              hint="the file is damaged, or has kinds of records that `kinds` does not name: run again")

    def _fill(self, name: str | None, record: dict[str, Any], path: str) -> int:
        below = self._below.get(path, {})
        for connection in below:
            record[connection] = []
        if name is None or not below:
            return 0
        count = 0
        for inner, body in self._db.execute("select id, body from line where parent = ? order by rowid", (name,)):
            child = _decode(body)
            kind = str(child.get("__typename", ""))
            connection = next((each for each, ending in below.items() if kind.endswith(ending)), None)
            if connection is None:
                raise SourceError(f"{self._where}: the result has a {kind or 'record without __typename'} below {name}",
                                  hint="declare it, or report it")
            record[connection].append(child)
            count += 1 + self._fill(inner, child, f"{path}.{connection}".removeprefix("."))
        return count


class _Outline(msgspec.Struct):
    id: str | None = None
    parent: str | None = msgspec.field(default=None, name="__parentId")


_OUTLINE = msgspec.json.Decoder(_Outline)
