"""How a file writes numbers, dates and flags → how the rest of Tieout reads them, column by column in Arrow.

Text in, text out: exact numbers never pass through binary floating point. A value that is not written as the dialect
says is never guessed at: it becomes a text that no type accepts, with the value as received in it, and is quarantined.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from tieout.spec import Column
from tieout.spec_transports import Csv

REFUSED = " ⟨{}⟩"  # behind the value as received
_ISO_DATE, _ISO_STAMP = r"^\d{4}-\d\d-\d\d$", r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d"


class Dialect:
    """Reads the declared columns of one stream; `normalise` is given all of a batch's columns as text."""

    def __init__(self, csv: Csv, columns: tuple[Column, ...]) -> None:
        self._csv = csv
        self._readers: dict[str, list[Callable[[pa.Array], pa.Array]]] = {}
        self._coded = {column.field for column in columns if column.name in csv.words}  # there a blank is a word, too
        for column in columns:
            if column.field:
                self._readers[column.field] = self._chain(column)

    def normalise(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with each declared column as the rest reads it; others as they are."""
        arrays = []
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            for read in self._readers.get(name, ()):
                if name in self._coded or array.null_count < len(array):
                    array = read(array)
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, batch.schema.names)

    def _chain(self, column: Column) -> list[Callable[[pa.Array], pa.Array]]:
        csv, steps = self._csv, []
        if csv.strip or column.type not in ("text", "json"):
            steps.append(lambda a: _null_where(pc.utf8_trim_whitespace(a), ("",)) if column.type != "text"
                         else pc.utf8_trim_whitespace(a))
        if column.name in csv.words:
            return [*steps, lambda a: _flags(pc.fill_null(a, ""), csv.words[column.name])]
        if column.type in ("amount", "rate", "integer"):
            steps.append(lambda a: numbers(a, csv))
        elif column.type == "boolean" and csv.booleans:
            steps.append(lambda a: _flags(a, csv.booleans))
        elif column.type == "date":
            steps += [lambda a: _null_where(a, csv.null_dates)] if csv.null_dates else []
            steps += [lambda a: dates(a, csv.dates, "%Y-%m-%d", _ISO_DATE)] if csv.dates else []
        elif column.type == "timestamp":
            steps += [lambda a: _null_where(a, csv.null_dates)] if csv.null_dates else []
            steps += [lambda a: dates(a, csv.timestamps, "%Y-%m-%dT%H:%M:%S", _ISO_STAMP)] if csv.timestamps else []
        return steps


def numbers(texts: pa.Array, csv: Csv) -> pa.Array:
    """`1.234,56-`, `(12)`, `$5` → `-1234.56`, `-12`, `5`. A number whose marks stand where none can is refused."""
    received = texts
    for symbol in csv.symbols:
        texts = pc.utf8_trim_whitespace(pc.replace_substring(texts, symbol, ""))
    texts = pc.replace_substring_regex(texts, r"^([^-].*?)\s*-$", r"-\1")
    texts = pc.replace_substring_regex(texts, r"^\((.*)\)$", r"-\1")
    if csv.decimal == "." and not csv.thousands:
        return texts
    point, mark = re.escape(csv.decimal), re.escape(csv.thousands)
    if csv.thousands == " ":
        texts, mark = pc.replace_substring_regex(texts, "[\u00a0\u202f]", " "), " "
    grouped = rf"\d{{1,3}}({mark}\d{{3}})+|\d+" if csv.thousands else r"\d+"
    sound = pc.match_substring_regex(texts, rf"^[+-]?\s*(({grouped})({point}\d*)?|{point}\d+)([eE][+-]?\d+)?$")
    if csv.thousands:
        texts = pc.replace_substring(texts, csv.thousands, "")
    texts = pc.replace_substring(texts, csv.decimal, ".")
    return _else_refused(sound, texts, received, f"not a number with decimal {csv.decimal!r}")


def dates(texts: pa.Array, formats: tuple[str, ...], target: str, iso: str) -> pa.Array:
    """Dates in one of `formats` (strptime), or in ISO form, as ISO texts; what is neither is refused.

    Arrow reads 31 February as 3 March: what it does not write back the same is read again, strictly.
    """
    done = pc.if_else(pc.match_substring_regex(texts, iso), texts, None)
    for form in formats:
        rest = pc.if_else(pc.is_valid(done), None, texts)
        if rest.null_count == len(rest):
            break
        if "%z" in form or "%f" in form:
            done = pc.coalesce(done, _strict(rest, form, target))
            continue
        parsed = pc.strptime(rest, format=form, unit="s", error_is_null=True)
        same = pc.equal(pc.strftime(parsed, format=form), rest)
        quick = pc.if_else(pc.fill_null(same, False), pc.strftime(parsed, format=target), None)
        doubtful = pc.if_else(pc.is_valid(quick), None, rest)
        done = pc.coalesce(done, quick, _strict(doubtful, form, target))
    return _else_refused(pc.is_valid(done), done, texts, f"not written as {' or '.join(formats)}")


def _strict(texts: pa.Array, form: str, target: str) -> pa.Array:
    """The slow and exact way, once per different value."""
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.string())
    coded = texts.dictionary_encode()
    read = pa.array([_one(text, form, target) for text in coded.dictionary.to_pylist()], pa.string())
    return read.take(coded.indices)


def _one(text: str, form: str, target: str) -> str | None:
    try:
        found = datetime.strptime(text, form)  # noqa: DTZ007 - the zone of what has no offset is landing's to say
    except ValueError:
        return None
    return found.strftime("%Y-%m-%d") if target == "%Y-%m-%d" else found.isoformat()


def _flags(texts: pa.Array, words: dict[str, bool]) -> pa.Array:
    """The dialect's words for yes and no; others are refused."""
    yes = pc.is_in(texts, pa.array([word for word, flag in words.items() if flag], pa.string()))
    known = pc.is_in(texts, pa.array([*words], pa.string()))
    flags = pc.if_else(yes, "true", "false")
    return _else_refused(known, pc.if_else(pc.is_null(texts), None, flags), texts, "not one of the declared words")


def _null_where(texts: pa.Array, words: tuple[str, ...]) -> pa.Array:
    return pc.if_else(pc.is_in(texts, pa.array([*words], pa.string())), None, texts)


def _else_refused(sound: pa.Array, read: pa.Array, received: pa.Array, why: str) -> pa.Array:
    """`read` where it is sound; elsewhere what was received, marked so that no type takes it for a value."""
    missing = pc.and_(pc.is_valid(received), pc.invert(pc.fill_null(sound, False)))
    if not pc.any(missing).as_py():
        return pc.if_else(pc.is_valid(received), read, None)
    marked = pc.binary_join_element_wise(received, REFUSED.format(why), "")
    return pc.if_else(missing, marked, pc.if_else(pc.is_valid(received), read, None))
