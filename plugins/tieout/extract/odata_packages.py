"""Data-management packages: a whole set as a file, exported by the service, instead of page after page.

Source: Dynamics 365 finance and operations, Data management package REST API. ExportToPackage runs an export project
for one company and names an execution; its status is asked for until it ends; then the service tells where the package
lies: a zip with a manifest and a CSV for each entity, under an address that is signed and ends, on a host of its
storage. Only hosts that the connection names are asked, by a client that has no token to send.

What comes is what the entity set would say, in its own words: names, days, numbers. A package of which anything is
missing is never taken for the whole: one that failed or succeeded in part is left alone, and the set is read by pages
(`PackageFailed`); one that holds fewer rows than the set counts (a project that exports only what changed, or a company
that was left out) is an error.

Options of a connection: `package_hosts` (addresses), and `packages`: by stream, the name of its export project, or
  project     its name
  companies   LegalEntityIds, one export each; those of `legal_entities` unless told. One, where rows have no company
  file        which file of the package; `*.csv`
  encoding, delimiter     of the file; utf-8 and a comma
  columns     {property: the file's name for it}, where that is not the property's name in any case of letters
"""

from __future__ import annotations

import fnmatch
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec

from tieout import logs
from tieout.errors import ConfigError, SchemaError, SourceError
from tieout.extract import MANNERS, Facts, Page
from tieout.extract.address import checked_address
from tieout.extract.http import Answer, Call, Client, Damaged, Refused, Verdict, by_status, decode
from tieout.extract.pieces import pieces
from tieout.extract.private_folder import PrivateFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from tieout.extract.odata_select import Select
    from tieout.spec import Connection, Stream

log = logs.logger(__name__)

COMPANY = "dataAreaId"
LONGEST = 6 * 3600  # seconds that an export may take
_FIRST_POLL, _SLOWEST_POLL = 0.5, 60.0
_RUNNING = frozenset({"Unknown", "NotRun", "Executing"})
_NOT_WHOLE = frozenset({"PartiallySucceeded", "Failed", "Canceled"})
_ACTIONS = "DataManagementDefinitionGroups/Microsoft.Dynamics.DataEntities."
_NUMBERS = frozenset({"Edm.Decimal", "Edm.Int64", "Edm.Int32", "Edm.Int16", "Edm.Double"})
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


class PackageFailed(Exception):
    """The service could not export the whole; nothing of it was read. The caller may read by pages."""


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a stream is exported; see the module's docstring."""

    project: str
    companies: tuple[str, ...] = ()
    file: str = "*.csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    columns: dict[str, str] = {}


class _Value(msgspec.Struct):
    value: Any


@dataclass(frozen=True)
class _Export:
    """An export that succeeded."""

    stream: str
    company: str
    execution: str
    package: Package


class Packages:
    """The packages of a connection. `client` asks the service at `root`; `count(select)`: how many rows a set has."""

    def __init__(self, connection: Connection, client: Client, root: str, facts: Facts, *,
                 count: Callable[[Select], int], transport: httpx.BaseTransport | None = None) -> None:
        self._connection, self._client, self._root, self._facts, self._count = connection, client, root, facts, count
        self._told = _packages(connection)
        self._hosts = [checked_address(str(each), f"connection {connection.name}: options.package_hosts")
                       for each in connection.options.get("package_hosts") or ()]
        # A client of its own: storage is everybody's, and no token of ours may ever go there.
        self._storage = Client.of(connection, facts=facts, classify=_of_storage, origins=tuple(self._hosts),
                                  transport=transport, sleep=client.sleep, clock=client.clock)

    def close(self) -> None:
        """Close all sockets."""
        self._storage.close()

    def exports(self, stream: Stream) -> bool:
        """Whether the connection reads the complete stream from a package."""
        return stream.name in self._told

    def pages(self, select: Select) -> Iterator[Page]:
        """All rows of the set. PackageFailed where the service could not export them; some may have come by then."""
        stream, package = select.stream, self._told[select.stream.name]
        before, came = self._count(select), 0
        for company in self._companies(select, package):
            export = self._exported(stream.name, company, package)
            folder = PrivateFolder()
            try:
                packed = folder.path / "package.zip"
                self._fetch(export, packed)
                for rows, page in self._read(export, select, packed, folder.path):
                    came += rows
                    yield page
            finally:
                folder.close()
        there = min(before, self._count(select))  # rows may have come or gone meanwhile
        if not came:
            yield _page(select, [], ())
        if came < there:
            raise self._error(stream.name, f"the packages of project {package.project} hold {came:,} of {there:,} rows",
                              "the project must export everything (no change tracking, no filter), and for each "
                              "company: name them under packages.…companies")

    def _companies(self, select: Select, package: Package) -> Sequence[str]:
        found = package.companies or tuple(self._connection.legal_entities or ())
        if not found:
            raise ConfigError(f"connection {self._connection.name}: packages.{select.stream.name} needs companies",
                              hint="LegalEntityIds, such as [USMF]; or map them under legal_entities")
        return found if COMPANY in select.types else found[:1]

    # --- the export

    def _exported(self, stream: str, company: str, package: Package) -> _Export:
        """An export that was run to its end. PackageFailed, SourceError."""
        execution = self._act(stream, "ExportToPackage", {
            "definitionGroupId": package.project, "packageName": f"tieout {stream}", "executionId": "",
            "reExecute": False, "legalEntityId": company})
        if not execution:
            raise self._error(stream, f"ExportToPackage of project {package.project} names no execution")
        export = _Export(stream, company, execution, package)
        waited, pause = 0.0, _FIRST_POLL
        while (status := self._act(stream, "GetExecutionSummaryStatus", {"executionId": execution})) in _RUNNING:
            if waited > LONGEST:
                raise self._error(stream, f"{_named(export)} is {status} after {LONGEST // 3600} hours")
            self._client.sleep(pause)
            waited, pause = waited + pause, min(pause * 1.6, _SLOWEST_POLL)
        if status in _NOT_WHOLE:
            raise PackageFailed(f"{_named(export)} ended as {status}{self._page_about(export)}")
        if status != "Succeeded":
            raise self._error(stream, f"{_named(export)} has the status {status!r}, which is not known", "report it")
        return export

    def _page_about(self, export: _Export) -> str:
        """Where people see what went wrong, if the service says."""
        try:
            url = self._act(export.stream, "GetExecutionSummaryPageUrl", {"executionId": export.execution})
        except SourceError:
            return ""
        return f"; see {logs.redact(url)}" if url else ""

    def _act(self, about: str, action: str, words: dict[str, Any]) -> str:
        """What an action of data management answers: a text, which the documents show wrapped once or twice."""
        def read(answer: Answer) -> str:
            value: Any = decode(answer.body, _Value).value
            if isinstance(value, dict):
                value = value.get("value")
            if not isinstance(value, str):
                raise Damaged(f"{action} answers {str(value)[:80]!r}")
            return value

        return self._client.request(Call("POST", f"{self._root}/{_ACTIONS}{action}", about, json=words), read)

    # --- the file

    def _fetch(self, export: _Export, target: Path) -> None:
        """The package, into a file."""
        def failed(refusal: Refused) -> SourceError:
            return self._error(
                export.stream, f"the package of {_named(export)} cannot be read: {logs.redact(refusal.reason)}")

        def place(_: str = "") -> str:
            return self._place(export)

        with target.open("wb") as sink:
            for piece in pieces(self._storage, export.stream, place(), place, failed, tagged=True):
                sink.write(piece)

    def _place(self, export: _Export) -> str:
        """Where the package lies. UnsafeLinkError for a host that the connection does not name."""
        url = self._act(export.stream, "GetExportedPackageUrl", {"executionId": export.execution})
        for word, value in parse_qsl(urlsplit(url).query):
            if word == "sig":
                logs.register_secret(value)
        if not url:
            raise self._error(export.stream, f"{_named(export)} has no package")
        self._storage.check(url, f"{export.stream} (the package's host must be named under options.package_hosts)")
        return url

    # --- the rows

    def _read(self, export: _Export, select: Select, packed: Path, folder: Path) -> Iterator[tuple[int, Page]]:
        """(rows, page) of the package's one file, as the set would answer: the same JSON, so that nothing is changed
        by the way it came."""
        from tieout.extract.file_tables import Reading, read
        from tieout.extract.file_unpack import unpack
        from tieout.spec_transports import Csv, FileOptions

        package, name = export.package, f"connection {self._connection.name}, package of {_named(export)}"
        options = FileOptions(
            files="*", compression="zip", member=package.file,
            csv=Csv(encoding=package.encoding, delimiter=package.delimiter, nulls=()))
        plains = unpack(packed, name, options, folder)
        self._is_package(export, packed, name)
        # Not the stream: how it writes days and numbers is put right here, and not guessed by its columns' types.
        plain_stream = select.stream.model_copy(update={"columns": ()})
        for plain in plains:
            reading = Reading(plain_stream, options, plain.name, None)
            for page in read(plain, reading):
                records = [] if isinstance(page.body, bytes) else self._worded(export, select, page.body)
                yield len(records) + len(page.broken), _page(select, records, page.broken)

    def _is_package(self, export: _Export, packed: Path, name: str) -> None:
        """Before anything is unpacked. SourceError where it is no package, or which file is meant is not plain."""
        try:
            with zipfile.ZipFile(packed) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError) as error:
            raise SourceError(f"{name}: is no zip file: {error}", hint="run again") from error
        if not any(each.lower().rpartition("/")[2] == "manifest.xml" for each in names):
            raise SourceError(f"{name}: has no manifest, so it is no data package", hint="run again")
        wanted = [each for each in names if fnmatch.fnmatchcase(each, export.package.file)]
        if len(wanted) != 1:
            raise SourceError(
                f"{name}: {len(wanted)} of its files match {export.package.file!r}; it holds {', '.join(names[:10])}",
                hint=f"export one entity as CSV, or say which: packages.{export.stream}.file")

    def _worded(self, export: _Export, select: Select, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        """The rows with the set's properties: its names, and values as the set writes them."""
        there = {name.strip().lower(): batch.column(at) for at, name in enumerate(batch.schema.names)}
        columns, missing = [], []
        days = {column.field for column in select.stream.columns if column.type == "date"}
        for field in select.fields:
            found = there.get(export.package.columns.get(field, field).lower())
            if found is not None:
                columns.append(_as_set(found, select.types[field], is_day=field in days))
            elif field == COMPANY:  # a package is of one company, and does not say so
                columns.append([export.company.lower()] * batch.num_rows)
            else:
                missing.append(field)
        if missing:
            raise SchemaError(
                f"connection {self._connection.name}: the package of {_named(export)} has no {', '.join(missing)}",
                hint=f"map them in the project, or name them under packages.{export.stream}.columns")
        return [dict(zip(select.fields, row, strict=True)) for row in zip(*columns, strict=True)]

    def _error(self, about: str, what: str, hint: str | None = None) -> SourceError:
        return SourceError(f"connection {self._connection.name}, stream {about}: {what}", hint=hint or "run again")


def _packages(connection: Connection) -> dict[str, Package]:
    """The packages of the options, by stream. ConfigError names what is wrong."""
    told = connection.options.get("packages") or {}
    where = f"connection {connection.name}: options.packages"
    if not isinstance(told, dict):
        raise ConfigError(f"{where} must be a mapping of streams to projects")
    known = {stream.name for stream in connection.every()}
    if strange := sorted(map(str, told.keys() - known)):
        raise ConfigError(f"{where}: no stream {', '.join(strange)}")
    found = {}
    for name, words in told.items():
        try:
            found[name] = msgspec.convert({"project": words} if isinstance(words, str) else words, Package)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{where}.{name}: {error}", hint="the name of an export project, or project and more"
                              ) from None
    return found


def _named(export: _Export) -> str:
    return f"execution {export.execution} of project {export.package.project} ({export.company})"


def _of_storage(answer: Answer) -> Verdict:
    """Storage's refusals: its body is XML, of which the code is enough."""
    if answer.status < 400:
        return by_status(answer)
    code = re.search(rb"<Code>(\w{1,80})</Code>", answer.body[:4000])
    reason = code[1].decode("ascii", "replace") if code else answer.excerpt()
    verdict = by_status(answer)
    if verdict.action == "retry":
        return verdict
    return Verdict("fatal", reason, code=str(answer.status))


def _page(select: Select, records: list[dict[str, Any]], broken: tuple[tuple[str, str], ...]) -> Page:
    return Page(select.stream.name, msgspec.json.encode(records), noise=MANNERS["odata"][0], broken=broken)


def _as_set(texts: pa.Array, kind: str, *, is_day: bool) -> list[Any]:
    """A column of the file as the set writes it: numbers without zeros behind, days as their noon, moments in UTC.
    What is none of these stays a text, which typing refuses."""
    import pyarrow.compute as pc

    if kind == "Edm.Decimal":
        texts = pc.replace_substring_regex(texts, r"^(-?\d+\.\d*?)0+$", r"\1")
        texts = pc.replace_substring_regex(texts, r"\.$", "")
    elif kind == "Edm.DateTimeOffset" and is_day:
        texts = pc.replace_substring_regex(texts, r"^(2154-12-31)[ T]23:59:59(\.0+)?Z?$", r"\1")
        texts = pc.replace_substring_regex(texts, r"^(\d{4}-\d\d-\d\d)([ T](00|12):00:00(\.0+)?Z?)?$", r"\1T12:00:00Z")
    elif kind == "Edm.DateTimeOffset":
        texts = pc.replace_substring_regex(texts, r"^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(\.\d+)?)Z?$", r"\1T\2Z")
    values = texts.to_pylist()
    if kind not in _NUMBERS:
        return values
    return [msgspec.Raw(text.encode()) if text is not None and _NUMBER.fullmatch(text) else text for text in values]
