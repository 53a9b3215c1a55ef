"""The words of streams that no vendor wrote a protocol for: file drops, tables, a REST interface, a tap, a dlt source.

They stand under `options:` of a stream, in a `source.yml` or in `tieout.yml`, and are read strictly, like all else.
"""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

PSEUDO_FIELDS = ("$file", "$row", "$delivered_at")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: Any) -> Any:
    """`15m`, `2h`, `1d`, `30s` → timedelta."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)([smhd])", value)):
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    return value


def _words(value: Any) -> Any:
    """One word, or a list of them."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _one_character(value: str) -> str:
    if len(value) != 1 or ord(value) > 127 or value in "\r\n":
        raise ValueError(f"{value!r} is not one ASCII character")
    return value


def _inside(value: str) -> str:
    """A pattern must stay below the connection's folder."""
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or not value:
        raise ValueError(f"{value!r} must be a path below the connection's url, with / and without ..")
    return value


def _regex(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"{value!r} needs exactly one group in parentheses; it has {groups}")
    return value


def _encoding(value: str) -> str:
    try:
        codecs.lookup(value)
    except LookupError:
        raise ValueError(f"unknown encoding {value!r}; for example utf-8, utf-16, cp1252, latin-1") from None
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Character = Annotated[str, AfterValidator(_one_character)]
Pattern = Annotated[str, AfterValidator(_inside)]
Regex = Annotated[str, AfterValidator(_regex)]
Duration = Annotated[timedelta, BeforeValidator(duration)]


class Frozen(BaseModel):
    """Unknown words are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Csv(Frozen):
    """A dialect. Everything is read as text first; these words say how numbers, dates and flags are written.

    header: true, or the names of the columns of files that have no header line. trailer: what the last line is where it
    is no record; its group is the number of records. null_dates: what stands for no date. words: per column, words that
    are flags there (an operation code, say); any other is refused, a blank too, unless `""` is among them. aliases:
    another name of a column in the header → its name here. listing: the file is a list as it is printed: titles, ruled
    lines, a header on each page, delimiters at both ends of a line.
    """

    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8"
    delimiter: Character = ","
    quote: Character | None = '"'
    escape: Character | None = None
    header: Literal[True] | tuple[str, ...] = True
    skip_rows: int = Field(default=0, ge=0)
    trailer: Regex | None = None
    nulls: Words = ("",)
    strip: bool = False
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'", "_"] = ""
    symbols: Words = ()
    dates: Words = ()
    timestamps: Words = ()
    null_dates: Words = ()
    booleans: dict[str, bool] = {}
    words: dict[str, dict[str, bool]] = {}
    aliases: dict[str, str] = {}
    listing: bool = False

    @model_validator(mode="before")
    @classmethod
    def _header_is_a_list(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("header"), list):
            return {**data, "header": tuple(data["header"])}
        return data

    @model_validator(mode="after")
    def _apart(self) -> Csv:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        if self.delimiter in (self.quote, self.escape):
            raise ValueError(f"delimiter {self.delimiter!r} is the quote or the escape too")
        return self


class Ready(Frozen):
    """When a file is complete. Without any word: when it was not written to for `quiet`.

    manifest: a pattern of files that list others (name, bytes, sha256, rows). marker: a file beside it, with {name} for
    its name, or one name for the whole folder (_SUCCESS). checksum: a file beside it, {name} likewise, that holds its
    sha256 or md5.
    """

    manifest: Pattern | None = None
    manifest_format: Literal["json", "lines"] = "json"
    marker: str | None = None
    checksum: str | None = None
    quiet: Duration = timedelta(seconds=30)


class Stamp(Frozen):
    """The moment that a file's name tells: the one group of `pattern`, read by `format` (strptime), in the connection's
    time zone where it has no offset. A trailing Z is UTC."""

    pattern: Regex
    format: str = "%Y%m%d"


class FileOptions(Frozen):
    """A stream of file drops.

    files: a pattern below the connection's `url`. delivery: files with the same group in their name belong together.
    order: what says which delivery is younger; the stamp in the name, where `stamp` is given, else the name, or when it
    was written. partition_from: for `partition`, the group of the name that is the partition's value, so that an empty
    file empties it. float_scale: the decimals of money that a Parquet file keeps as binary floating point. only: by
    column, the value of the rows that count; others are passed over, as if the file did not hold them. one_of: columns
    that hold one value in a file, whichever it is: two of them side by side are an error, unless `only` chooses.
    """

    files: Pattern
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    compression: Literal["auto", "none", "gz", "zip", "zst"] = "auto"
    member: str = "*"
    csv: Csv = Csv()
    ready: Ready = Ready()
    stamp: Stamp | None = None
    order: Literal["name", "modified"] = "name"
    delivery: Regex | None = None
    partition_from: Regex | None = None
    float_scale: int | None = Field(default=None, ge=0, le=18)
    only: dict[str, str] = {}
    one_of: Words = ()
    allow_empty: bool = False
    max_bytes: int = Field(default=50_000_000_000, ge=1)
    max_ratio: int = Field(default=500, ge=2)

    @model_validator(mode="after")
    def _in_tables(self) -> FileOptions:
        if self.format == "jsonl" and (self.only or self.one_of):
            raise ValueError("`only` and `one_of` are for tables (csv, parquet)")
        return self


class SqlOptions(Frozen):
    """A stream of a database: `table` (with its schema, where it has one), or a `query` that only selects.

    where: a condition over the table's columns. null_dates: what the database writes for no date. strip: cut the blanks
    with which char(n) is padded. float_scale: the decimals of money that is kept as binary floating point.
    """

    table: str | None = None
    query: str | None = None
    where: str | None = None
    page_rows: int = Field(default=20_000, ge=1)
    strip: bool = False
    null_dates: Words = ("0000-00-00", "0000-00-00 00:00:00")
    float_scale: int | None = Field(default=None, ge=0, le=18)

    @model_validator(mode="after")
    def _one(self) -> SqlOptions:
        if (self.table is None) == (self.query is None):
            raise ValueError("either `table` or `query`")
        if self.query is not None:
            text = re.sub(r"^\s*(--[^\n]*\n\s*)*", "", self.query)
            if not re.match(r"(?i)(select|with)\b", text) or ";" in self.query.rstrip().rstrip(";"):
                raise ValueError("a query is one statement that begins with select or with")
            if self.where is not None:
                raise ValueError("a query holds its own condition; `where` is for a table")
        return self


class Paging(Frozen):
    """How pages follow one another.

    by: page (a number), offset, cursor (a token in the answer), link (the header `Link`, rel="next"), body (a link in
    the answer), or none. param, size_param: the parameters' names. path: where the answer holds token or link. more:
    where it says that there is more. total: where it says how many there are.
    """

    by: Literal["page", "offset", "cursor", "link", "body", "none"] = "none"
    param: str = ""
    size_param: str = ""
    size: int = Field(default=200, ge=1)
    start: int = Field(default=1, ge=0)
    path: str = ""
    more: str = ""
    total: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Paging:
        wanted = {"page": ("param",), "offset": ("param",), "cursor": ("param", "path"), "body": ("path",)}
        for word in wanted.get(self.by, ()):
            if not getattr(self, word):
                raise ValueError(f"by {self.by} needs {word!r}")
        return self


class RestOptions(Frozen):
    """A stream of a REST interface.

    path: below the connection's `base_url`; {parent} in it is the key of a document whose lines are read. records:
    where the answer holds the list. params: fixed parameters; {start} and {end} in them are the window's ends, written
    as `stamps` says (a strftime form, epoch, or epoch_ms); a parameter with {start} is left out when all is read.
    error: where an answer of status 200 says that it failed.
    """

    path: str
    records: str = ""
    params: dict[str, str] = {}
    paging: Paging = Paging()
    stamps: str = "%Y-%m-%dT%H:%M:%SZ"
    error: str = ""


class TapOptions(Frozen):
    """A stream of a Singer tap. tap_stream: the tap's own name of it; said by the stream's name where it is not."""

    tap_stream: str


class ResourceOptions(Frozen):
    """A stream of a dlt source. resource: its name there. table: where the resource names its table otherwise."""

    resource: str
    table: str = ""


def _command(value: Any) -> Any:
    """A command as a shell would split it; no shell ever sees it."""
    return tuple(shlex.split(value)) if isinstance(value, str) else _words(value)


class Tap(Frozen):
    """A connection's Singer tap.

    command: the program and its arguments. config: what the tap is configured with; `{secret: <field>}` anywhere in it
    stands for that secret of the connection. catalog: a file; without it the tap is asked (`--discover`) unless that is
    false. ignore: streams that the tap sends and nobody wants. silence: how long it may say nothing.
    """

    command: Annotated[tuple[str, ...], BeforeValidator(_command), Field(min_length=1)]
    config: dict[str, Any] = {}
    catalog: str | None = None
    discover: bool = True
    ignore: Words = ()
    silence: Duration = timedelta(hours=1)


class DltSource(Frozen):
    """A connection's dlt source.

    source: `package.module:function`, a source or a resource. arguments: the function's, by name; `{secret: <field>}`
    anywhere in them stands for that secret of the connection. path: a folder in which the module is, if it is not
    installed.
    """

    source: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    arguments: dict[str, Any] = {}
    path: str | None = None


def secret_names(value: Any) -> Iterator[str]:
    """The secrets that a configuration refers to."""
    if isinstance(value, dict):
        if value.keys() == {"secret"} and isinstance(value["secret"], str):
            yield value["secret"]
        else:
            for inner in value.values():
                yield from secret_names(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from secret_names(inner)


def with_secrets(value: Any, secrets: dict[str, str]) -> Any:
    """The configuration with the secrets in their places."""
    if isinstance(value, dict):
        if value.keys() == {"secret"} and isinstance(value["secret"], str):
            return secrets[value["secret"]]
        return {name: with_secrets(inner, secrets) for name, inner in value.items()}
    return [with_secrets(inner, secrets) for inner in value] if isinstance(value, list | tuple) else value


OPTIONS: dict[str, type[Frozen]] = {"files": FileOptions, "sql": SqlOptions, "rest": RestOptions, "singer": TapOptions,
                                    "dlt": ResourceOptions}
# Programs of strangers that bring all streams of a connection in one run: what a connection says, and the word of a
# stream that names it there.
DOORS: dict[str, tuple[type[Frozen], str]] = {"singer": (Tap, "tap_stream"), "dlt": (DltSource, "resource")}
# Options of a connection that its streams take over where they say nothing themselves.
INHERITED = {"files": ("csv", "ready", "compression", "max_bytes", "max_ratio", "only"),
             "rest": ("paging", "stamps", "error"), "sql": ("page_rows", "strip", "null_dates")}


def stream_options(protocol: str, connection: dict[str, Any], stream: dict[str, Any]) -> Frozen:
    """A stream's words, over what its connection says for all of them. Raises ValidationError."""
    shared = {word: connection[word] for word in INHERITED.get(protocol, ()) if word in connection}
    for word, value in stream.items():
        both = isinstance(value, dict) and isinstance(shared.get(word), dict)
        shared[word] = {**shared[word], **value} if both else value
    return OPTIONS[protocol].model_validate(shared)
