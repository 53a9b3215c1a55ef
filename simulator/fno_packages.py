"""Data management of finance and operations, stood in for: export projects, their executions, and storage for packages.

A package is of one company and of the moment when it was asked for. Its CSV has the entity's fields in capitals and no
company, amounts with six decimals, and days as midnight; a text that needs it is quoted. A project that keeps track of
changes exports the first time all, and then only what is new. Storage takes no token: the address itself is signed.
"""

from __future__ import annotations

import csv
import io
import secrets
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from simulator.fno_schema import EntitySet, sets
from simulator.odata_v4 import Property

ACTIONS = "/data/DataManagementDefinitionGroups/Microsoft.Dynamics.DataEntities."
STORAGE = "/dmf/"
_WORDS = {
    "ExportToPackage": {"definitionGroupId": str, "packageName": str, "executionId": str, "reExecute": bool,
                        "legalEntityId": str},
    "GetExecutionSummaryStatus": {"executionId": str}, "GetExecutionSummaryPageUrl": {"executionId": str},
    "GetExportedPackageUrl": {"executionId": str},
}
_HEADER = ('<?xml version="1.0" encoding="utf-8"?><DataManagementPackageHeader xmlns="http://schemas.microsoft.com/'
           'dynamics/2015/01/DataManagement"><Description>{}</Description></DataManagementPackageHeader>')
_MANIFEST = ('<?xml version="1.0" encoding="utf-8"?><DataManagementPackageManifest xmlns="http://schemas.microsoft.com/'
             'dynamics/2015/01/DataManagement"><DefinitionGroupName>{}</DefinitionGroupName><PackageEntityList>'
             '<DataManagementPackageEntityData><EntityName>{}</EntityName><InputFilePath>{}</InputFilePath>'
             '</DataManagementPackageEntityData></PackageEntityList></DataManagementPackageManifest>')


class Wrong(Exception):
    """A request that data management does not take: status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass
class Project:
    """An export project. tracked: it exports only what changed since its last package."""

    entity: str
    tracked: bool = False
    exported: set[str] = field(default_factory=set)


@dataclass
class DataManagement:
    """How exports go; fields may be changed while a server runs.

    projects: those there are, beside `Tieout <set>` for each set. polls: how often an execution is still under way.
    ends_as: how executions end; the package of one that ends otherwise than Succeeded holds a part. reads: requests
    after which an address ends (0: never). host: where packages lie, instead of here. is_nested: an execution's id is
    wrapped twice. contents: what packages are, instead of what was exported.
    """

    projects: dict[str, Project] = field(default_factory=dict)
    polls: int = 2
    ends_as: str = "Succeeded"
    reads: int = 0
    host: str | None = None
    is_nested: bool = True
    contents: bytes | None = None


@dataclass
class _Execution:
    package: bytes
    ends_as: str
    polls: int
    asked: int = 0
    addresses: dict[str, int] = field(default_factory=dict)


Rows = Callable[[EntitySet, str | None], Iterable[dict[str, Any]]]


class Exports:
    """The executions of one environment. `rows(entity, company)`: what a set holds; None: of all companies."""

    def __init__(self, told: Callable[[], DataManagement], rows: Rows, hidden: Callable[[], set[str]]) -> None:
        self._told, self._rows, self._hidden = told, rows, hidden
        self._executions: dict[str, _Execution] = {}
        self._lock = Lock()

    def act(self, action: str, words: Any, root: str, companies: set[str]) -> Any:
        """The value of an action. Raises Wrong."""
        wanted = _WORDS.get(action)
        if wanted is None:
            raise Wrong(404, f"No action {action} was found.")
        if not isinstance(words, dict) or words.keys() != wanted.keys():
            raise Wrong(400, f"The parameters of {action} are {', '.join(wanted)}.")
        if bad := [name for name, kind in wanted.items() if type(words[name]) is not kind]:
            raise Wrong(400, f"Cannot convert the value of parameter '{bad[0]}'.")
        if action == "ExportToPackage":
            made = self._export(words, companies)
            return {"value": made} if self._told().is_nested else made
        with self._lock:
            execution = self._executions.get(words["executionId"])
            if execution is None:
                return "Unknown" if action == "GetExecutionSummaryStatus" else ""
            if action == "GetExecutionSummaryStatus":
                execution.asked += 1
                under_way = "NotRun" if execution.asked == 1 else "Executing"
                return under_way if execution.asked <= execution.polls else execution.ends_as
            if action == "GetExecutionSummaryPageUrl":
                return f"{root}/?mi=DM_ExecutionSummary&executionId={words['executionId']}"
            if execution.asked <= execution.polls:
                return ""
            signature = secrets.token_urlsafe(32)
            execution.addresses[signature] = 0
        return f"{self._told().host or root}{STORAGE}{words['executionId']}.zip?sv=2019-02-02&sr=b&sig={signature}"

    def _export(self, words: dict[str, Any], companies: set[str]) -> str:
        told, name, company = self._told(), words["definitionGroupId"], words["legalEntityId"]
        project = told.projects.get(name)
        if project is None and name.removeprefix("Tieout ") in sets():
            project = Project(name.removeprefix("Tieout "))
        if project is None:
            raise Wrong(500, f"The definition group '{name}' does not exist.")
        if company.lower() not in companies:
            raise Wrong(500, f"The company '{company}' does not exist.")
        entity = sets()[project.entity]
        rows = list(self._rows(entity, company.lower()))
        keys = ["|".join(str(row[part]) for part in entity.key) for row in rows]
        if project.tracked:
            rows = [row for row, key in zip(rows, keys, strict=True) if key not in project.exported]
            project.exported |= set(keys)
        if told.ends_as != "Succeeded":
            rows = rows[::2]
        hidden = self._hidden()
        shown = [prop for prop in entity.properties.values() if f"{entity.name}.{prop.name}" not in hidden]
        made = f"{company}-{uuid4()}"
        package = told.contents if told.contents is not None else _package(name, entity, shown, rows)
        with self._lock:
            self._executions[made] = _Execution(package, told.ends_as, told.polls)
        return made

    def storage(self, request: Request) -> Response:
        """A package, or a part of it; refusals in the words of storage."""
        if "authorization" in request.headers:  # a token beside a signature
            return _refused(400, "InvalidAuthenticationInfo")
        name = request.url.path.removeprefix(STORAGE).removesuffix(".zip")
        with self._lock:
            execution, signature = self._executions.get(name), request.query_params.get("sig", "")
            if execution is None or signature not in execution.addresses:
                return _refused(403, "AuthenticationFailed")
            execution.addresses[signature] += 1
            if self._told().reads and execution.addresses[signature] > self._told().reads:
                return _refused(403, "AuthenticationFailed")
        whole, tag = execution.package, f'"0x{hash(execution.package) & 2**60:X}"'
        if request.headers.get("if-match", tag) != tag:
            return _refused(412, "ConditionNotMet")
        unit, _, wanted = request.headers.get("range", "").partition("=")
        if unit != "bytes":
            return Response(whole, 200, {"etag": tag}, "application/zip")
        start, _, end = wanted.partition("-")
        if int(start) >= len(whole):
            return _refused(416, "InvalidRange")
        piece = whole[int(start):int(end) + 1 if end else None]
        told = f"bytes {start}-{int(start) + len(piece) - 1}/{len(whole)}"
        return Response(piece, 206, {"etag": tag, "content-range": told}, "application/zip")


def _refused(status: int, code: str) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>Refused.</Message></Error>'
    return Response(body, status, {"x-ms-error-code": code}, "application/xml")


def _package(project: str, entity: EntitySet, shown: list[Property], rows: list[dict[str, Any]]) -> bytes:
    columns = [prop for prop in shown if prop.name != "dataAreaId"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([prop.name.upper() for prop in columns])
    writer.writerows([_text(prop, row[prop.name]) for prop in columns] for row in rows)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Manifest.xml", _MANIFEST.format(project, entity.name, f"{entity.name}.csv"))
        archive.writestr("PackageHeader.xml", _HEADER.format(project))
        archive.writestr(f"{entity.name}.csv", "\ufeff" + text.getvalue())
    return made.getvalue()


def _text(prop: Property, value: Any) -> str:
    """A value as a file has it; NULL is never empty, but for a text."""
    if prop.edm == "Edm.DateTimeOffset":
        return f"{value or '1900-01-01'} 00:00:00" if value is None or len(value) == 10 else str(value)
    if prop.edm == "Edm.Decimal":
        whole, _, part = str(value or "0").partition(".")
        return f"{whole}.{part:0<6}"
    return str(prop.empty if value is None else value)
