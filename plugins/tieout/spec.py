"""What a source is: frozen, self-validating, unknown key = error that names file and line.

`sources/<system>/source.yml` says what a vendor offers, once for everybody; `tieout.yml` says what one company
connects. Both are parsed here and nowhere else.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from tieout import spec_contracts
from tieout.errors import ConfigError
from tieout.spec_streams import (
    PLAIN_NAME,
    Column,
    ColumnType,
    DeclaredStream,
    Deletes,
    ParentLink,
    Stream,
    check_choices,
    check_links,
    delivered,
    expanded,
    unchosen,
)
from tieout.spec_transports import DOORS, OPTIONS, Duration, Frozen, duration, secret_names, stream_options
from tieout.spec_yaml import Misplaced, parse

__all__ = [
    "Column", "ColumnType", "Company", "Connection", "DeclaredStream", "Deletes", "ParentLink", "Source", "Stream",
    "load_company", "load_source", "parse", "staged_together",
]
SOURCES = Path(__file__).parent / "sources"
OUR_COLUMNS = (
    "_connection", "_key", "_modified_at", "_is_deleted", "_batch_id", "_superseded_batch", "_landed_at", "_row_hash",
    "_extra",
)
GENERIC = "generic"  # the family of systems that a company declares itself
LONGEST_TABLE = 46  # Postgres cuts names at 63, and indexes add a suffix

CRON_PRESETS = {"@quarterly": "0 0 1 */3 *"}  # the one of Airflow's names that croniter does not know


def _age(value: Any) -> Any:
    """As a duration, and nothing else: a number without its unit would be a guess, and zero could never be kept."""
    length = duration(value)
    if not isinstance(value, str | timedelta) or not isinstance(length, timedelta) or length <= timedelta(0):
        raise ValueError(f"{value!r} is not a length of time above zero; write 30m, 2h or 1d")
    return length


Age = Annotated[timedelta, BeforeValidator(_age)]
ConnectionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]


class Defaults(Frozen):
    """A source's defaults, which a connection may override under `options`."""

    cursor_overlap: Duration = timedelta(minutes=15)
    page_size: int = Field(default=1000, ge=1)
    max_concurrency: int = Field(default=4, ge=1)


class Way(Frozen):
    """How a system is reached: ways to authenticate, and options that a connection must or may give."""

    auth: tuple[str, ...] = Field(min_length=1)
    secrets: dict[str, tuple[str, ...]] = {}
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


class EventForm(Frozen):
    """Where a body tells of events, as dotted paths: `records` is a list, the body itself where it is empty, `sender`
    stands in each of them; `below` is a list in each, itself where it is empty, and `topic` stands in each of those.
    """

    records: str = ""
    sender: str
    below: str = ""
    topic: str


class Webhook(Frozen):
    """How a vendor signs its events: base64 of HMAC-SHA256 of the raw body, by the connection's webhook_secret.

    signature, id, topic, sender: its headers. topics: those that begin a landing, * for any letters; all others are
    taken, and begin none. sender_is: what the sender is of a connection; {words} are its options. forms: of a vendor
    that tells senders and topics in the body, perhaps of several connections at once; such an event has no id but its
    body.
    """

    signature: str
    id: str = ""
    topic: str = ""
    topics: tuple[str, ...] = Field(min_length=1)
    sender: str = ""
    sender_is: str = ""
    forms: tuple[EventForm, ...] = ()

    @model_validator(mode="after")
    def _is_told(self) -> Webhook:
        if bool(self.forms) == bool(self.id or self.topic) or (self.forms and not self.sender_is):
            raise ValueError("events are told by headers `id` and `topic`, or in the body by `forms` and `sender_is`")
        return self


class Source(Frozen):
    """A system: its protocol, ways to authenticate, and streams.

    `protocols`: for a system that nobody knows beforehand. A connection then chooses one of them and declares its own
    streams, and its source is made of both (`Connection.source`). `role` both: the connection says which it is.
    `options`: protocol words of every stream; `dates`: of every stream, too. `staged_as`: the system whose staging
    models read this one's tables, where that is another: two ways to the same vendor's data. `either`: a word of a
    connection's options, its values and the streams that each brings, the first where none is said: the same records in
    two forms, one of which counts. `staged_words`: options of a connection that staging models read.
    """

    system: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,29}$")]
    title: str
    protocol: str = ""
    protocols: dict[str, Way] = {}
    role: Literal["crm", "erp", "both"]
    auth: tuple[str, ...] = ()
    secrets: dict[str, tuple[str, ...]] = {}
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    defaults: Defaults = Defaults()
    options: dict[str, Any] = {}
    dates: str = ""
    staged_as: str = ""
    either: dict[str, dict[str, tuple[str, ...]]] = {}
    staged_words: tuple[str, ...] = ()
    webhook: Webhook | None = None
    streams: tuple[Stream, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        """Fill what YAML leaves to convention: table, column name (vendor's word in lower case) and vendor's word."""
        if not isinstance(data, dict) or not isinstance(data.get("streams"), dict):
            return data
        streams = data["streams"]
        if dates := data.get("dates"):
            streams = {name: {"dates": dates, **raw} if isinstance(raw, dict) else raw for name, raw in streams.items()}
        return {**data, "streams": expanded(streams, f"{data.get('system')}__", data.get("options") or {})}

    @model_validator(mode="after")
    def _closed_or_open(self) -> Source:
        for word in ("protocol", "auth", "streams"):
            if bool(getattr(self, word)) == bool(self.protocols):
                raise Misplaced([word], "a connection says this, where there are `protocols`" if self.protocols
                                else "Field required")
        return self

    @model_validator(mode="after")
    def _links(self) -> Source:
        check_links(self.streams)
        check_choices(self.streams, self.either)
        return self

    @property
    def staging(self) -> str:
        """The folder of models that reads these tables."""
        return self.staged_as or self.system

    def stream(self, name: str) -> Stream:
        """The stream of that name, or a ConfigError that lists the known ones."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        known = ", ".join(stream.name for stream in self.streams)
        raise ConfigError(f"{self.system} has no stream {name!r}", hint=f"known: {known}")


class Connection(Frozen):
    """One company's connection to one system. Secrets are not here: see `secrets.py`.

    role: crm or erp; told by the source, and by the connection where its source may be both. protocol, declared: of a
    system of the company's own, whose streams stand under `streams:` and whose tables bear the connection's name.
    unit: the business unit whose CRM and ERP belong together. Numbers and ids mean something within a unit only.
    webhook: landing begins at once, too, when `tieout webhook` receives a signed event of the connection.
    close_days: how many days after its end a month is locked, of books that do not say when they lock.
    """

    name: ConnectionName
    system: str
    role: Literal["crm", "erp"]
    protocol: str = ""
    auth: str
    time_zone: str
    unit: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,39})?$")
    schedule: str | None = "0 * * * *"
    webhook: bool = False
    freshness: Age | None = None  # how old data may be; None: what the schedule promises
    start_date: str = "2024-01-01"
    legal_entity: str | None = None
    legal_entities: dict[str, str] = {}
    currency: str | None = None
    close_days: Annotated[int, Field(ge=0, le=90)] | None = None
    streams: Literal["all"] | tuple[str, ...] = "all"
    declared: tuple[DeclaredStream, ...] = ()
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

    @model_validator(mode="before")
    @classmethod
    def _from_source(cls, data: Any) -> Any:
        """What the source tells, and streams that the connection declares itself."""
        if isinstance(data, dict) and "kind" in data:
            data = _of_kind(dict(data))
        if not isinstance(data, dict) or not isinstance(data.get("system"), str):
            return data
        try:
            source = load_source(data["system"])
        except ConfigError as error:
            raise ValueError(str(error).replace("\n  → ", "; ")) from None
        data = dict(data)
        if source.role != "both" and data.setdefault("role", source.role) != source.role:
            raise Misplaced(["role"], f"{source.system} is always {source.role}", data["role"])
        if data.get("declared"):
            raise ValueError("Extra inputs are not permitted: declared")
        if source.protocols:
            if not isinstance(data.get("streams"), dict):
                raise Misplaced(["streams"], f"a connection of {source.system} declares its own streams here")
            streams = data.pop("streams")
            if data.get("protocol") in DOORS:
                streams = delivered(streams, data["protocol"])
            data["declared"] = expanded(streams, f"{data.get('name')}__")
        return data

    @model_validator(mode="after")
    def _fits_source(self) -> Connection:
        self._fits_protocol(load_source(self.system))
        source = self.source
        if self.auth not in source.auth:
            raise ValueError(f"auth {self.auth!r} is not offered by {self.system}; one of {', '.join(source.auth)}")
        streams = {stream.name: stream for stream in source.streams}
        for name in self.fields | dict.fromkeys(() if self.streams == "all" else self.streams):
            if name not in streams:
                raise ValueError(f"{self.system} has no stream {name!r}; known: {', '.join(streams)}")
        for name, renamed in self.fields.items():
            for column in renamed:
                if column not in {c.name for c in streams[name].columns}:
                    raise ValueError(f"fields.{name}: {column!r} is not a declared column of that stream")
        missing = [word for word in source.required if self.options.get(word) in (None, "")]
        if missing:
            raise ValueError(f"options: {', '.join(missing)} required by {self.system}")
        allowed = {*source.required, *source.optional, *Defaults.model_fields, *source.either}
        if unknown := set(self.options) - allowed:
            raise ValueError(f"options: unknown {sorted(unknown)}; known: {', '.join(sorted(allowed))}")
        hashed = any(column.hashed for stream in source.streams for column in stream.columns)
        if hashed and "hash_key" not in source.secrets.get(self.auth, ()):
            raise ValueError(f"streams: hashed columns need the secret hash_key; {self.system} asks for none")
        left_out = unchosen(source.either, self.options)
        for name in () if self.streams == "all" else self.streams:
            if name in left_out:
                raise ValueError(f"streams: {name} is read with options.{left_out[name]} only: it holds the same "
                                 "records in another form, and with both of them everything would count twice")
        if source.protocol in DOORS:
            self._check_door(source.protocol)
        if source.protocol in OPTIONS:
            for stream in self.selected():
                self._check_options(source.protocol, stream)
        return self

    def _fits_protocol(self, known: Source) -> None:
        if not known.protocols:
            if self.protocol not in ("", known.protocol):
                raise Misplaced(["protocol"], f"{self.system} speaks {known.protocol}", self.protocol)
            return
        if self.protocol not in known.protocols:
            raise Misplaced(["protocol"], f"one of {', '.join(known.protocols)}", self.protocol)
        if not self.declared:
            raise Misplaced(["streams"], "no stream is declared")
        if self.name != GENERIC and (SOURCES / self.name / "source.yml").is_file():
            raise ValueError(f"{self.name} is the name of a system; tables are named by the connection: choose another")
        for stream in self.declared:
            if not PLAIN_NAME.fullmatch(stream.table) or len(stream.table) > LONGEST_TABLE:
                raise Misplaced(["streams", stream.name], f"its table would be raw.{stream.table[:80]}: a to z, digits "
                                f"and _, {LONGEST_TABLE} letters at most, the connection's name included")
        check_links(self.declared)
        self._check_contracts()

    def _check_contracts(self) -> None:
        """Every name in a mapping points to something; an error stands where the name stands."""
        types = {stream.name: {c.name: c.type for c in stream.columns} for stream in self.declared}
        for stream in self.declared:
            for contract, mappings in stream.contracts.items():
                where: list[str | int] = ["streams", stream.name, "contracts", contract]
                if contract not in spec_contracts.CONTRACTS:
                    raise Misplaced(where, f"no such contract; known: {', '.join(spec_contracts.CONTRACTS)}")
                for at, mapping in enumerate(mappings):
                    try:
                        spec_contracts.check(mapping, contract, types[stream.name], types)
                    except Misplaced as wrong:
                        raise Misplaced([*where, at, *wrong.loc], wrong.problems) from None

    def _check_door(self, protocol: str) -> None:
        """What the connection says to the program that brings its streams."""
        told = {word: value for word, value in self.options.items() if word not in Defaults.model_fields}
        try:
            DOORS[protocol][0].model_validate(told)
        except ValidationError as error:
            raise Misplaced(["options"], error.errors()) from None
        for stream in self.declared:
            if stream.deletes.sweep:
                raise Misplaced(["streams", stream.name, "deletes"], "the program decides what it reads; say `mode: "
                                "full` where each of its runs brings the complete set")

    def _check_options(self, protocol: str, stream: Stream) -> None:
        """What the stream says to its protocol, read as strictly as the rest, at its own place in the file."""
        if stream.explode:  # it is never asked for: its parent's records hold it
            if stream.options and self.declared:
                raise Misplaced(["streams", stream.name, "options"], "nested lines come with their parent's records")
            return
        try:
            stream_options(protocol, self.options, stream.options)
        except ValidationError as error:
            problems = error.errors()
            inherited = problems[0]["loc"] and problems[0]["loc"][0] in self.options.keys() - stream.options.keys()
            where = ["options"] if inherited else ["streams", stream.name, "options"]
            raise Misplaced(where, problems) from None

    @property
    def source(self) -> Source:
        """The vendor's spec; for a system of the company's own, made of what the connection declares."""
        known = load_source(self.system)
        if not known.protocols:
            return known
        way = known.protocols[self.protocol]
        told = {word: getattr(way, word) for word in Way.model_fields}
        if self.protocol in DOORS:  # what it needs to know is said where it is configured
            told["secrets"] = {self.auth: tuple(dict.fromkeys(secret_names(self.options)))}
        return known.model_copy(update={
            **told, "protocol": self.protocol,
            "protocols": {}, "role": self.role, "streams": self.declared})

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
        source = self.source
        left_out = unchosen(source.either, self.options)
        wanted = [s for s in source.streams if s.name not in left_out
                  and (self.streams == "all" or s.name in self.streams)]
        return tuple(self._renamed(stream) for stream in wanted)

    def every(self) -> tuple[Stream, ...]:
        """All streams of the source, whether they are landed or not, with this connection's field names."""
        return tuple(map(self._renamed, self.source.streams))

    def _renamed(self, stream: Stream) -> Stream:
        renamed = self.fields.get(stream.name, {})
        columns = tuple(
            column.model_copy(update={"field": renamed[column.name] or ""}) if column.name in renamed else column
            for column in stream.columns
        )
        options = stream.options
        if not self.declared and isinstance(self.options.get("csv"), dict):  # how this company's files are written
            options = {**options, "csv": {**options.get("csv", {}), **self.options["csv"]}}
        return stream.model_copy(update={"columns": columns, "options": options})


def _of_kind(data: dict[str, Any]) -> dict[str, Any]:
    """`kind: singer` is short for a system of the company's own, reached by a Singer tap."""
    kind = data.pop("kind")
    if kind not in DOORS:
        raise Misplaced(["kind"], f"one of {', '.join(sorted(DOORS))}", kind)
    for word, value in (("system", GENERIC), ("protocol", kind), ("auth", "none")):
        if data.setdefault(word, value) != value:
            raise Misplaced([word], f"kind {kind} is {word} {value}", data[word])
    return data


class Group(Frozen):
    """The company as a whole: the currency of group figures and the first month of the fiscal year."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    fiscal_year_start_month: int = Field(default=1, ge=1, le=12)


class Retention(Frozen):
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


class BreakPolicy(Frozen):
    """The register of breaks. `waiver_limit`: over it a second person approves a waiver; absolute, group currency."""

    waiver_limit: Decimal = Field(default=Decimal(1000), ge=0, max_digits=24, decimal_places=4)


class Reader(Frozen):
    """What a role sees in schema `reporting`. cleared: names and other personal data; else they are masked.

    legal_entities: rows of these only; None: of all. A row that tells none is seen by who sees all.
    """

    cleared: bool = False
    legal_entities: tuple[str, ...] | None = None

    @field_validator("legal_entities", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class Company(Frozen):
    """`tieout.yml`. readers: roles of the database that BI tools log in with, and what each sees."""

    version: Literal[1]
    group: Group = Group()
    readers: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")], Reader] = {}
    breaks: BreakPolicy = BreakPolicy()
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


def shipped() -> list[Source]:
    """Every source that Tieout brings along, by name."""
    return [load_source(path.parent.name) for path in sorted(SOURCES.glob("*/source.yml"))]


def staged_together(system: str) -> list[Source]:
    """All shipped sources that the staging models of a system read, itself included: their tables must all be there."""
    staging = load_source(system).staging
    return [source for source in shipped() if source.staging == staging]


def load_company(path: Path) -> Company:
    """Parse `tieout.yml`."""
    if not path.is_file():
        raise ConfigError(f"{path} does not exist", hint="copy tieout.example.yml, or run `make demo`")
    return parse(path, Company)
