"""The words of streams that no vendor wrote a protocol for: file drops, tables of a database, a REST interface.

They stand under `options:` of a stream, in a `source.yml` or in `tieout.yml`, and are read strictly, like all else.
"""

from __future__ import annotations

import codecs
import re
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
    are flags there (an operation code, say). aliases: another name of a column in the header → its name here.
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
    file empties it. float_scale: the decimals of money that a Parquet file keeps as binary floating point.
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
    allow_empty: bool = False
    max_bytes: int = Field(default=50_000_000_000, ge=1)
    max_ratio: int = Field(default=500, ge=2)


OPTIONS: dict[str, type[Frozen]] = {"files": FileOptions}
# Options of a connection that its streams take over where they say nothing themselves.
INHERITED = {"files": ("csv", "ready", "compression", "max_bytes", "max_ratio")}


def stream_options(protocol: str, connection: dict[str, Any], stream: dict[str, Any]) -> Frozen:
    """A stream's words, over what its connection says for all of them. Raises ValidationError."""
    shared = {word: connection[word] for word in INHERITED.get(protocol, ()) if word in connection}
    for word, value in stream.items():
        both = isinstance(value, dict) and isinstance(shared.get(word), dict)
        shared[word] = {**shared[word], **value} if both else value
    return OPTIONS[protocol].model_validate(shared)
