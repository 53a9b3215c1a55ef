"""What a host offers and where: services, their entity sets, addresses of requests and of links."""

from __future__ import annotations

from urllib.parse import urljoin

import httpx

from tieout import logs
from tieout.errors import SchemaError
from tieout.extract import Facts
from tieout.extract.http import Call, Client, Refused
from tieout.extract.odata_dialect import query_string
from tieout.extract.odata_metadata import Entity, entity_sets
from tieout.extract.odata_select import Select, select_of
from tieout.extract.odata_ways import sets_of
from tieout.spec import Connection, Stream

log = logs.logger(__name__)


class Services:
    """The services of one host below `base`; what they offer is asked for once."""

    def __init__(self, connection: Connection, client: Client, base: str, facts: Facts) -> None:
        self._connection, self._client, self._base, self._facts = connection, client, base, facts
        self._services: dict[str, dict[str, Entity] | None] = {}
        self._selects: dict[str, Select | None] = {}

    # --- addresses

    def service_url(self, stream: Stream) -> str:
        options = stream.options
        word = options.get("service_option")
        service = str(self._connection.options[word]) if word else options.get("service", "")
        return "/".join(part.strip("/") for part in (self._base, options.get("path", ""), service) if part.strip("/"))

    def url(self, stream: Stream, words: dict[str, str], below: str = "") -> str:
        query = query_string({**words, **self._extra(stream)})
        return f"{self.service_url(stream)}/{self._set_of(stream)}{below}{'?' if query else ''}{query}"

    def linked(self, stream: Stream, link: str) -> str:
        """The address of a link, relative to the set or whole; the words that every request needs are kept on it."""
        url = urljoin(self.url(stream, {}).partition("?")[0], link)
        self._client.check(url, stream.name)
        held = httpx.URL(url).params
        lost = {name: text for name, text in self._extra(stream).items() if name not in held}
        return f"{url}{'&' if '?' in url else '?'}{query_string(lost)}" if lost else url

    def _extra(self, stream: Stream) -> dict[str, str]:
        named, fixed = stream.options.get("query", {}), stream.options.get("fixed", {})
        given = {**fixed, **{word: self._connection.options.get(option) for word, option in named.items()}}
        return {word: str(value) for word, value in given.items() if value not in (None, "")}

    # --- what is served

    def wanted(self, stream: Stream) -> Select:
        """The statement of a stream that must be there. Raises SchemaError."""
        select = self.select(stream)
        if select is None:
            raise SchemaError(
                f"connection {self._connection.name}: {self.service_url(stream)} does not offer "
                f"{' or '.join(sets_of(self._connection, stream))}",
                hint="activate the service and give the technical user access to it, or leave the stream out of "
                "`streams`",
            )
        return select

    def select(self, stream: Stream) -> Select | None:
        """The statement of a stream, for what the service offers of it; None without such a service or set."""
        if stream.name not in self._selects:
            entity = (self._service(stream) or {}).get(self._set_of(stream))
            select = None if entity is None else select_of(self._connection, stream, entity)
            if select and select.absent:
                self._facts.notes.setdefault("absent_fields", {})[stream.name] = select.absent
            self._selects[stream.name] = select
        return self._selects[stream.name]

    def _set_of(self, stream: Stream) -> str:
        """The first of its sets that the service offers; the first of all where it offers none."""
        wanted = sets_of(self._connection, stream)
        if len(wanted) == 1:
            return wanted[0]
        offered = self._service(stream) or {}
        return next((name for name in wanted if name in offered), wanted[0])

    def _service(self, stream: Stream) -> dict[str, Entity] | None:
        """The entity sets of the stream's service; None where the host does not know it or does not let us in."""
        root = self.service_url(stream)
        if root not in self._services:
            query = query_string(self._extra(stream))
            call = Call("GET", f"{root}/$metadata{'?' if query else ''}{query}", stream.name,
                        headers={"accept": "application/xml"})
            try:
                self._services[root] = self._client.request(call, lambda answer: entity_sets(answer.body))
            except Refused as refusal:
                if refusal.status not in (403, 404) or refusal.code.isdigit():  # a proxy's word is not the vendor's
                    raise
                log.warning("service is not offered", extra={"stream": stream.name, "reason": refusal.reason})
                self._services[root] = None
        return self._services[root]
