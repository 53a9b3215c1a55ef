"""What a source is: frozen, self-validating, unknown key = error that names file and line.

`sources/<system>/source.yml` says what a vendor offers, once for everybody; `tieout.yml` says what one company
connects. Both are parsed here and nowhere else.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tieout.errors import ConfigError

SOURCES = Path(__file__).parent / "sources"
PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # Postgres cuts names at 63 bytes; plain ASCII, so bytes are letters
SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
OUR_COLUMNS = (
    "_connection", "_key", "_modified_at", "_is_deleted", "_batch_id", "_superseded_batch", "_landed_at", "_row_hash",
    "_extra",
)
ColumnType = Literal["text", "integer", "amount", "rate", "boolean", "date", "timestamp", "json"]

Model = TypeVar("Model", bound=BaseModel)
CRON_PRESETS = {"@quarterly": "0 0 1 */3 *"}  # the one of Airflow's names that croniter does not know
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    """`15m`, `2h`, `1d`, `30s` → timedelta."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)([smhd])", value)):
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    return value


def _age(value: Any) -> Any:
    """As a duration, and nothing else: a number without its unit would be a guess, and zero could never be kept."""
    length = _duration(value)
    if not isinstance(value, str | timedelta) or not isinstance(length, timedelta) or length <= timedelta(0):
        raise ValueError(f"{value!r} is not a length of time above zero; write 30m, 2h or 1d")
    return length


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Age = Annotated[timedelta, BeforeValidator(_age)]
ConnectionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Frozen):
    """A declared column of a landed table.

    `name` is the column in Postgres, `field` the vendor's word. `optional` columns may be absent at a vendor (a custom
    field, an edition's feature): they land as NULL. A column that is not optional and not served is a SchemaError.
    """

    name: str
    type: ColumnType
    field: str
    optional: bool = False
    pii: bool = False
    description: str = ""


class Deletes(_Frozen):
    """How deletions arrive: `flag` (a column of the record), `feed` (rows of another stream), `sweep` (all keys)."""

    flag: str | None = None
    feed: str | None = None
    feed_type: str | None = None
    sweep: bool = False


class Stream(_Frozen):
    """One landed table. `mode` is `incremental` (windows on `cursor`) or `full` (each load is the complete set).

    `parent`: rows belong to a parent document, whose change re-reads and replaces all of its rows
    (`parent.stream`, and `parent.column`, the column here that holds the parent's key).
    `explode`: rows are nested in the parent's records under this path; the parent's pages feed this stream.
    `blank_keys`: a blank part of the key is a value like any other, unless all of them are (ABAP's initial values).
    `lookups`: columns by which a build finds current rows, where `parent` is not one already; each gets an index.
    `options`: protocol words, read only by the protocol in `extract/`.
    """

    name: str
    table: str
    key: tuple[str, ...] = Field(min_length=1)
    mode: Literal["incremental", "full"] = "incremental"
    cursor: str | None = None
    overlap: Duration | None = None
    deletes: Deletes = Deletes()
    parent: ParentLink | None = None
    explode: str | None = None
    blank_keys: bool = False
    lookups: tuple[str, ...] = ()
    columns: tuple[Column, ...]
    control_totals: tuple[str, ...] = ()
    url: str | None = None
    description: str = ""
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Stream:
        names = [column.name for column in self.columns]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"stream {self.name}: columns declared twice (case does not count): {sorted(twice)}")
        needed = {"key": self.key, "cursor": (self.cursor,), "deletes.flag": (self.deletes.flag,),
                  "control_totals": self.control_totals, "lookups": self.lookups}
        if self.parent:
            needed["parent.column"] = (self.parent.column,)
        for where, columns in needed.items():
            for column in columns:
                if column is not None and column not in names:
                    raise ValueError(f"stream {self.name}: {where} names {column!r}, which is not a declared column")
        if any(name.startswith("_") for name in names):
            raise ValueError(f"stream {self.name}: columns that start with _ are Tieout's own")
        for name in names:
            if not PLAIN_NAME.fullmatch(name) or name in SYSTEM_COLUMNS:
                raise ValueError(f"stream {self.name}: {name[:80]!r} cannot be a column's name (a to z, digits and _, "
                                 "63 at most, none of Postgres's own); keep the vendor's word and add a plain `name:`")
        if self.mode == "incremental" and not (self.cursor or self.parent or self.explode):
            raise ValueError(f"stream {self.name}: an incremental stream needs a cursor or a parent")
        for column in self.control_totals:
            if self.column(column).type not in ("amount", "integer"):
                raise ValueError(f"stream {self.name}: control total {column} is not an amount")
        return self

    def column(self, name: str) -> Column:
        """The declared column of that Postgres name."""
        return next(column for column in self.columns if column.name == name)


class ParentLink(_Frozen):
    """A child stream's link: the parent's stream, and the column here that holds the parent's key."""

    stream: str
    column: str


Stream.model_rebuild()


class Defaults(_Frozen):
    """A source's defaults, which a connection may override under `options`."""

    cursor_overlap: Duration = timedelta(minutes=15)
    page_size: int = Field(default=1000, ge=1)
    max_concurrency: int = Field(default=4, ge=1)


class Source(_Frozen):
    """A system: its protocol, ways to authenticate, and streams. `options`: protocol words of every stream."""

    system: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,29}$")]
    title: str
    protocol: str
    role: Literal["crm", "erp", "both"]
    auth: tuple[str, ...] = Field(min_length=1)
    secrets: dict[str, tuple[str, ...]] = {}
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    defaults: Defaults = Defaults()
    options: dict[str, Any] = {}
    streams: tuple[Stream, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        """Fill what YAML leaves to convention: table, column name (vendor's word in lower case) and vendor's word."""
        if not isinstance(data, dict) or not isinstance(data.get("streams"), dict):
            return data
        streams, shared = [], data.get("options") or {}
        for name, raw in data["streams"].items():
            if not isinstance(raw, dict):
                raise ValueError(f"stream {name}: expected a mapping")
            columns = []
            for word, column in (raw.get("columns") or {}).items():
                column = {"type": column} if isinstance(column, str) else dict(column or {})
                columns.append({"name": str(word).lower(), "field": str(word), **column})
            streams.append({
                **raw, "name": name, "columns": columns, "options": {**shared, **(raw.get("options") or {})},
                "table": raw.get("table", f"{data.get('system')}__{name.lower()}"),
            })
        return {**data, "streams": streams}

    @model_validator(mode="after")
    def _links(self) -> Source:
        names = {stream.name for stream in self.streams}
        for stream in self.streams:
            parent = stream.parent.stream if stream.parent else None
            for where, target in (("parent", parent), ("deletes.feed", stream.deletes.feed)):
                if target and target not in names:
                    raise ValueError(f"stream {stream.name}: {where} names {target!r}, which is not a stream")
        return self

    def stream(self, name: str) -> Stream:
        """The stream of that name, or a ConfigError that lists the known ones."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        known = ", ".join(stream.name for stream in self.streams)
        raise ConfigError(f"{self.system} has no stream {name!r}", hint=f"known: {known}")


class Connection(_Frozen):
    """One company's connection to one system. Secrets are not here: see `secrets.py`.

    `unit`: the business unit whose CRM and ERP belong together. Numbers and ids mean something within a unit only.
    """

    name: ConnectionName
    system: str
    auth: str
    time_zone: str
    unit: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,39})?$")
    schedule: str | None = "0 * * * *"
    freshness: Age | None = None  # how old data may be; None: what the schedule promises
    start_date: str = "2024-01-01"
    legal_entity: str | None = None
    legal_entities: dict[str, str] = {}
    currency: str | None = None
    streams: Literal["all"] | tuple[str, ...] = "all"
    fields: dict[str, dict[str, str | None]] = {}
    options: dict[str, Any] = {}

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"unknown time zone {value!r}; use an IANA name such as America/Los_Angeles")
        return value

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        from croniter import croniter

        if value is not None and not croniter.is_valid(CRON_PRESETS.get(value, value)):
            raise ValueError(f"{value!r} is no cron expression; write `0 * * * *` for every hour, or null")
        return value

    @field_validator("streams", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _fits_source(self) -> Connection:
        try:
            source = self.source
        except ConfigError as error:
            raise ValueError(str(error).replace("\n  → ", "; ")) from None
        if self.auth not in source.auth:
            raise ValueError(f"auth {self.auth!r} is not offered by {self.system}; one of {', '.join(source.auth)}")
        known = {stream.name: stream for stream in source.streams}
        for name in self.fields | dict.fromkeys(() if self.streams == "all" else self.streams):
            if name not in known:
                raise ValueError(f"{self.system} has no stream {name!r}; known: {', '.join(known)}")
        for name, renamed in self.fields.items():
            for column in renamed:
                if column not in {c.name for c in known[name].columns}:
                    raise ValueError(f"fields.{name}: {column!r} is not a declared column of that stream")
        missing = [word for word in source.required if self.options.get(word) in (None, "")]
        if missing:
            raise ValueError(f"options: {', '.join(missing)} required by {self.system}")
        allowed = {*source.required, *source.optional, *Defaults.model_fields}
        if unknown := set(self.options) - allowed:
            raise ValueError(f"options: unknown {sorted(unknown)}; known: {', '.join(sorted(allowed))}")
        return self

    @property
    def source(self) -> Source:
        """The vendor's spec."""
        return load_source(self.system)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the vendor writes stamps without an offset."""
        return ZoneInfo(self.time_zone)

    @property
    def defaults(self) -> Defaults:
        """The source's defaults with this connection's overrides."""
        ours = {word: self.options[word] for word in Defaults.model_fields if word in self.options}
        return Defaults.model_validate({**self.source.defaults.model_dump(), **ours})

    def selected(self) -> tuple[Stream, ...]:
        """The streams to land, parents before children, with this connection's field names filled in."""
        wanted = [s for s in self.source.streams if self.streams == "all" or s.name in self.streams]
        return tuple(self._renamed(stream) for stream in wanted)

    def _renamed(self, stream: Stream) -> Stream:
        renamed = self.fields.get(stream.name, {})
        columns = tuple(
            column.model_copy(update={"field": renamed[column.name] or ""}) if column.name in renamed else column
            for column in stream.columns
        )
        return stream.model_copy(update={"columns": columns})


class Group(_Frozen):
    """The company as a whole: the currency of group figures and the first month of the fiscal year."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    fiscal_year_start_month: int = Field(default=1, ge=1, le=12)


class Retention(_Frozen):
    """How long what is no longer current is kept, in days; None: for ever. Closed periods are exempt.

    `archive_days`: archived files. `raw_days`: closed versions in raw. `publications_days`: publications, and with them
    the versions of the marts that no other shows. `ledger_days`: loads, gate results and model runs. `orphan_days`:
    files of batches that did not commit. `apply`: the weekly DAG prunes; otherwise it only says what it would.
    """

    apply: bool = False
    archive_days: int | None = Field(default=None, ge=2)
    raw_days: int | None = Field(default=None, ge=2)
    publications_days: int | None = Field(default=None, ge=2)
    ledger_days: int | None = Field(default=None, ge=2)
    orphan_days: int = Field(default=2, ge=2)


class Company(_Frozen):
    """`tieout.yml`."""

    version: Literal[1]
    group: Group = Group()
    retention: Retention = Retention()
    connections: dict[ConnectionName, Connection]

    @model_validator(mode="before")
    @classmethod
    def _name_connections(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("connections"), dict):
            named = {
                name: {**raw, "name": name} if isinstance(raw, dict) else raw
                for name, raw in data["connections"].items()
            }
            return {**data, "connections": named}
        return data

    def connection(self, name: str) -> Connection:
        """The connection of that name, or a ConfigError that lists the known ones."""
        if name not in self.connections:
            known = ", ".join(self.connections) or "none"
            raise ConfigError(f"no connection {name!r} in tieout.yml", hint=f"known: {known}")
        return self.connections[name]


@cache
def load_source(system: str, folder: Path = SOURCES) -> Source:
    """Parse `sources/<system>/source.yml`."""
    path = folder / system / "source.yml"
    if not path.is_file():
        known = sorted(p.parent.name for p in folder.glob("*/source.yml"))
        raise ConfigError(f"unknown system {system!r}", hint=f"known: {', '.join(known)}")
    return parse(path, Source)


def load_company(path: Path) -> Company:
    """Parse `tieout.yml`."""
    if not path.is_file():
        raise ConfigError(f"{path} does not exist", hint="copy tieout.example.yml, or run `make demo`")
    return parse(path, Company)


def parse(path: Path, model: type[Model]) -> Model:
    """Read YAML strictly (no duplicate keys) into `model`; an error names file, line and key."""
    yaml = YAML(typ="rt")
    try:
        data = yaml.load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: {getattr(error, 'problem', error)}", hint="mend the YAML") from None
    try:
        return model.model_validate(_plain(data))
    except ValidationError as error:
        raise ConfigError("\n".join(_located(path, data, problem) for problem in error.errors())) from None


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _located(path: Path, data: Any, problem: Any) -> str:
    """`file:line: key.path: message`, with the line of the deepest node that the location reaches."""
    node, line, trail = data, 1, []
    for step in problem["loc"]:
        trail.append(str(step))
        keys = list(node) if isinstance(node, dict) else []
        if isinstance(node, dict) and isinstance(step, int) and step < len(keys):
            step = keys[step]  # streams and columns are mappings in YAML and lists in the model
            trail[-1] = str(step)
        if isinstance(node, dict) and step in node:
            line = node.lc.key(step)[0] + 1 if hasattr(node, "lc") else line
            node = node[step]
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            line = node.lc.item(step)[0] + 1 if hasattr(node, "lc") else line
            node = node[step]
        else:
            break
    message = problem["msg"].removeprefix("Value error, ")
    value = problem.get("input")
    shown = f" (got {value!r})" if isinstance(value, (str, int, float, bool)) else ""
    return f"{path}:{line}: {'.'.join(trail)}: {message}{shown}"
