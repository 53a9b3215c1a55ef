"""Raw columns → typed Arrow columns, exactly or not at all.

A value that does not fit its declared type is a `Fault` of its record, which then goes to the quarantine; nothing is
rounded, cut or guessed. The fast path casts a whole column; only a column that refuses is looked at value by value.

Targets: text string · integer int64 · amount, rate decimal128(38, 18) · boolean bool · date date32 · timestamp
timestamp[us, UTC] · json string (JSON text). Amounts have at most 18 digits on either side of the point. A rate is no
money: digits beyond the 18th decimal are rounded half to even (Oracle-based vendors send up to 40 digits).

Dates and stamps are ISO 8601, or the notation that JSON got before it had any: see ticks.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from tieout.landing.forms import plain_json
from tieout.landing.ticks import holds_ticks, one_tick, ticks

if TYPE_CHECKING:
    from tieout.landing.mapping import Healer
    from tieout.spec import Column

AMOUNT = pa.decimal128(38, 18)
STAMP = pa.timestamp("us", "UTC")
TYPES: dict[str, pa.DataType] = {
    "text": pa.string(), "integer": pa.int64(), "amount": AMOUNT, "rate": AMOUNT, "boolean": pa.bool_(),
    "date": pa.date32(), "timestamp": STAMP, "json": pa.string(),
}
SHOWN = 2000  # characters of a refused value that the quarantine shows
FIRST_YEAR, LAST_YEAR = 1900, 2199
ARROW_ZONES_END = 2037  # from then on Arrow knows no daylight saving; zoneinfo does
OPEN_END = date(9999, 12, 31)  # how vendors write "no end"
LARGEST = Decimal(10) ** 18
_LARGEST_FLOAT = float(LARGEST)
_FINEST = Decimal(1).scaleb(-18)
_WIDE = Context(prec=80)
_TRUE, _FALSE = frozenset({"true", "t", "1"}), frozenset({"false", "f", "0"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_ENDLESS = re.compile(r"\d[eE][+-]?0*\d{5}")  # jsonb keeps every digit, and refuses what has too many
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?")


class Fault(NamedTuple):
    """Why one record cannot land. `value` is the value as received, as text."""

    row: int
    column: str
    field: str
    value: str | None
    code: str
    reason: str


class Refused(ValueError):
    """A value does not fit; `code` is the quarantine's reason code."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        super().__init__(reason)


def type_column(column: Column, values: list[Any] | pa.Array | None, count: int, zone: ZoneInfo,
                *, may_hold_nul: bool = True, healer: Healer | None = None) -> tuple[pa.Array, list[Fault]]:
    """The column's values typed (null where absent or refused), and the faults by row.

    `zone`: how to read stamps without an offset; an hour that occurs twice is read as its first occurrence. `healer`:
    what people decided about values of this column that do not fit; it is never asked about one that does.
    """
    target = TYPES[column.type]
    if values is None:
        return pa.nulls(count, target), []
    try:
        typed = _FAST[column.type](values, zone)
        if _sound(column.type, typed, may_hold_nul):
            return typed, []
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, Refused):
        pass  # some value does not fit: below they are told apart
    return _one_by_one(column, values, zone, healer)


def fold_is_possible(zone: ZoneInfo) -> bool:
    """True where local stamps can be ambiguous: the zone changed its offset in the last years or will."""
    return len({zone.utcoffset(datetime(year, month, 1)) for year in (2000, 2015, 2026) for month in (1, 4, 7, 10)}) > 1  # noqa: DTZ001


# --- whole columns ----------------------------------------------------------------------------------------------------


def _strings(values: list[Any] | pa.Array) -> pa.Array:
    if isinstance(values, list):
        return pa.array(values, pa.string())
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_integer(values.type) or pa.types.is_large_string(values.type) or pa.types.is_dictionary(values.type):
        return pc.cast(values, pa.string())
    raise pa.ArrowInvalid("not text")


def _no_blanks(values: pa.Array) -> pa.Array:
    """Vendors write an empty number, date or flag as an empty string."""
    blank = pc.equal(values, "")
    return pc.if_else(blank, None, values) if pc.any(blank).as_py() else values


def _is_text(values: list[Any] | pa.Array) -> bool:
    return isinstance(values, list) or pa.types.is_string(values.type) or pa.types.is_large_string(values.type)


def _amounts(values: list[Any] | pa.Array, _zone: ZoneInfo) -> pa.Array:
    if isinstance(values, list):
        try:
            values = pa.array(values, pa.string())
        except (pa.ArrowTypeError, pa.ArrowInvalid):  # whole numbers come as int
            values = pa.array([v if v is None or type(v) is str else _number_text(v) for v in values], pa.string())
    elif pa.types.is_floating(values.type):
        values = pc.cast(values, pa.string())  # the shortest text that reads back as this float
    elif not _is_text(values) and not pa.types.is_decimal(values.type) and not pa.types.is_integer(values.type):
        raise pa.ArrowInvalid("not a number")
    if pa.types.is_integer(values.type):
        values = pc.cast(values, pa.decimal128(20, 0))
    if not _is_text(values):
        return pc.cast(values, AMOUNT)
    try:
        return _cast_amounts(values)
    except pa.ArrowInvalid:
        return _cast_amounts(_no_blanks(values))


def _cast_amounts(texts: pa.Array) -> pa.Array:
    """Arrow's cast wraps around for numbers that are far too large; binary floating point only tells the size."""
    ends = pc.min_max(pc.cast(texts, pa.float64())).as_py()
    if ends["max"] is not None and not max(-ends["min"], ends["max"]) < _LARGEST_FLOAT:
        raise pa.ArrowInvalid("more than 18 digits before the point")
    return pc.cast(texts, AMOUNT)


def _number_text(value: Any) -> str:
    if type(value) is not int:
        raise pa.ArrowInvalid("not a number")
    return str(value)


def _integers(values: list[Any] | pa.Array, zone: ZoneInfo) -> pa.Array:
    if isinstance(values, list):
        try:
            return pa.array(values, pa.int64())
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            pass  # numbers as text
    if not isinstance(values, list) and pa.types.is_integer(values.type):
        return pc.cast(values, pa.int64())
    return pc.cast(_amounts(values, zone), pa.int64())  # 12.0 is an integer, 12.5 raises


def _booleans(values: list[Any] | pa.Array, _zone: ZoneInfo) -> pa.Array:
    if isinstance(values, list):
        try:
            return pa.array(values, pa.bool_())
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            pass  # flags as text
    if not isinstance(values, list) and pa.types.is_boolean(values.type):
        return values
    text = pc.utf8_lower(_no_blanks(_strings(values)))
    is_true = pc.is_in(text, pa.array(sorted(_TRUE)))
    known = pc.or_(is_true, pc.is_in(text, pa.array(sorted(_FALSE))))
    if not pc.all(pc.or_(known, pc.is_null(text))).as_py():
        raise pa.ArrowInvalid("not a flag")
    return pc.if_else(pc.is_null(text), None, is_true)


def _dates(values: list[Any] | pa.Array, _zone: ZoneInfo) -> pa.Array:
    if not _is_text(values):
        if not pa.types.is_temporal(values.type) and not pa.types.is_null(values.type):
            raise pa.ArrowInvalid("not a date")  # Arrow would read a number as days since 1970
        return _days(values)
    text = _no_blanks(_strings(values))
    if holds_ticks(text):
        return _days(pc.cast(ticks(text)[0], pa.timestamp("ms")))
    return pc.cast(text, pa.date32())


def _days(stamps: pa.Array) -> pa.Array:
    """Arrow's cast drops a time of day without a word; here it refuses."""
    found = pc.cast(stamps, pa.date32())
    if pa.types.is_timestamp(stamps.type) and not pc.all(pc.equal(pc.cast(found, stamps.type), stamps)).as_py():
        raise pa.ArrowInvalid("a date with a time of day")
    return found


def _stamps(values: list[Any] | pa.Array, zone: ZoneInfo) -> pa.Array:
    if not _is_text(values):
        if pa.types.is_timestamp(values.type) and values.type.tz:
            return pc.cast(values, STAMP)
        if not pa.types.is_temporal(values.type) and not pa.types.is_null(values.type):
            raise pa.ArrowInvalid("not a stamp")  # Arrow would read a number as microseconds since 1970
        return _in_zone(pc.cast(values, pa.timestamp("us")), zone)
    text = _no_blanks(_strings(values))
    if holds_ticks(text):
        ms, has_offset = ticks(text)
        return pc.cast(pc.cast(ms, pa.timestamp("ms", "UTC")), STAMP) if has_offset else _in_zone(
            pc.cast(pc.cast(ms, pa.timestamp("ms")), pa.timestamp("us")), zone)
    try:
        return pc.cast(text, STAMP)
    except pa.ArrowInvalid:
        return _in_zone(pc.cast(text, pa.timestamp("us")), zone)


def _in_zone(local: pa.Array, zone: ZoneInfo) -> pa.Array:
    last = pc.max(local).as_py()
    if last is not None and last.year >= ARROW_ZONES_END:
        raise pa.ArrowInvalid("beyond Arrow's zone tables")
    return pc.cast(pc.assume_timezone(local, zone.key, ambiguous="earliest", nonexistent="latest"), STAMP)


def _json_texts(values: list[Any] | pa.Array, _zone: ZoneInfo) -> pa.Array:
    if isinstance(values, list):
        values = pa.array([None if v is None else bytes(v).decode() for v in values], pa.string())
        values = pc.if_else(pc.equal(values, "null"), None, values)
    else:
        values = _no_blanks(_strings(values))
    for text in values.to_pylist():
        if text is not None:
            check_json(text)
    return values


_FAST: dict[str, Callable[[list[Any] | pa.Array, ZoneInfo], pa.Array]] = {
    "text": lambda values, _zone: _strings(values), "integer": _integers, "amount": _amounts, "rate": _amounts,
    "boolean": _booleans, "date": _dates, "timestamp": _stamps, "json": _json_texts,
}


def _sound(kind: str, typed: pa.Array, may_hold_nul: bool) -> bool:
    """No value is of the right type and yet impossible. Nulls are sound."""
    if typed.null_count == len(typed):
        return True
    if kind == "text":
        return not may_hold_nul or not _holds_nul(typed)
    if kind in ("amount", "rate"):
        ends = pc.min_max(typed)
        return ends["min"].as_py() > -LARGEST and ends["max"].as_py() < LARGEST
    if kind in ("date", "timestamp"):
        ends = pc.min_max(typed)
        return pc.year(ends["min"]).as_py() >= FIRST_YEAR and pc.year(ends["max"]).as_py() <= LAST_YEAR
    return True


def _holds_nul(text: pa.Array) -> bool:
    data = text.buffers()[2]
    return data is not None and b"\x00" in data.to_pybytes() and pc.any(pc.match_substring(text, "\x00")).as_py()


# --- value by value ---------------------------------------------------------------------------------------------------


def convert(column: Column, value: Any, zone: ZoneInfo) -> Any:
    """One value typed. Raises Refused."""
    return _SLOW[column.type](value, zone)


def _one_by_one(column: Column, values: list[Any] | pa.Array, zone: ZoneInfo,
                healer: Healer | None) -> tuple[pa.Array, list[Fault]]:
    convert = _SLOW[column.type]
    faults, typed = [], []
    for row, value in enumerate(values if isinstance(values, list) else values.to_pylist()):
        try:
            blank = value is None or (value == "" and column.type != "text")
            typed.append(None if blank else convert(value, zone))
        except Refused as refused:
            shown = as_text(value)
            if healer is not None and healer.knows(shown):
                typed.append(healer.heal(row, shown))
                continue
            typed.append(None)
            faults.append(Fault(row, column.name, column.field, shown, refused.code, str(refused)))
    return pa.array(typed, TYPES[column.type]), faults


def as_text(value: Any) -> str | None:
    """A value as the quarantine shows it (NUL as \\u0000)."""
    if value is None:
        return None
    text = bytes(value).decode("utf-8", "backslashreplace") if isinstance(value, (msgspec.Raw, bytes)) else str(value)
    return text.replace("\x00", "\\u0000")[:SHOWN]


def _one_text(value: Any, _zone: ZoneInfo) -> str:
    if isinstance(value, (dict, list, bytes)):
        raise Refused("type_error", "a text was expected, a structure came")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\x00" in text:
        raise Refused("nul_in_text", "the text holds a NUL character, which Postgres cannot store")
    return text


def _one_number(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Refused("type_error", "not a number")
    text = value if isinstance(value, str) else repr(value)
    if not _NUMBER.fullmatch(text):
        raise Refused("type_error", "not a number")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refused("type_error", "not a number") from None


def _one_amount(value: Any, _zone: ZoneInfo) -> Decimal:
    number = _one_number(value)
    if abs(number) >= LARGEST:
        raise Refused("out_of_range", "more than 18 digits before the point")
    exact = number.quantize(_FINEST, ROUND_HALF_EVEN, _WIDE)
    if exact != number:
        raise Refused("out_of_range", "more than 18 decimals")
    return exact


def _one_rate(value: Any, _zone: ZoneInfo) -> Decimal:
    number = _one_number(value)
    if abs(number) >= LARGEST:
        raise Refused("out_of_range", "more than 18 digits before the point")
    return number.quantize(_FINEST, ROUND_HALF_EVEN, _WIDE)


def _one_integer(value: Any, _zone: ZoneInfo) -> int:
    number = _one_number(value)
    if abs(number) >= 2**63:
        raise Refused("out_of_range", "beyond 64 bits")
    if number != number.to_integral_value(ROUND_HALF_EVEN):
        raise Refused("type_error", "not a whole number")
    return int(number)


def _one_boolean(value: Any, _zone: ZoneInfo) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise Refused("type_error", "not a flag (true, false, T, F)")
    return word in _TRUE


def _tick(value: Any) -> datetime | None:
    try:
        return one_tick(value)
    except OverflowError:
        raise Refused("out_of_range", "no year of the calendar") from None


def _one_date(value: Any, zone: ZoneInfo) -> date:
    found = _tick(value) or value
    if isinstance(found, datetime):
        if found.time() != time.min:
            raise Refused("type_error", "not a date: it has a time of day")
        found = found.date()
    elif not isinstance(found, date):
        stamp = _STAMP.fullmatch(value) if isinstance(value, str) else None
        if not stamp or (stamp[2] or "00:00:00").strip("0:") or (stamp[3] or "").strip("0"):
            raise Refused("type_error", "not a date (YYYY-MM-DD)")
        try:
            found = date.fromisoformat(stamp[1])
        except ValueError:
            raise Refused("type_error", "no such day") from None
    _check_year(found)
    return found


def _one_stamp(value: Any, zone: ZoneInfo) -> datetime:
    value = _tick(value) or value
    if isinstance(value, datetime):
        found = value if value.tzinfo else value.replace(tzinfo=zone)
    else:
        parts = _STAMP.fullmatch(value) if isinstance(value, str) else None
        if not parts:
            raise Refused("type_error", "not a timestamp (ISO 8601)")
        day, clock, fraction, offset = parts.groups()
        try:
            found = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}")
            found += timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))
            found = found.replace(tzinfo=_offset(offset) if offset else zone)
            if not offset and found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != found.replace(tzinfo=None):
                found = found.replace(fold=0)  # an hour that the clock skipped: read with the offset before the change
        except ValueError:
            raise Refused("type_error", "no such moment") from None
    _check_year(found.date())
    if found.date() == OPEN_END:
        return datetime(9999, 12, 31, tzinfo=UTC)
    return found.astimezone(UTC)


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))


def _check_year(found: date) -> None:
    if not FIRST_YEAR <= found.year <= LAST_YEAR and found != OPEN_END:
        raise Refused("out_of_range", f"year {found.year} is not believable")


def _one_json(value: Any, _zone: ZoneInfo) -> str | None:
    if isinstance(value, (msgspec.Raw, bytes)):
        try:
            text = bytes(value).decode()
        except UnicodeDecodeError:
            raise Refused("bad_json", "no JSON: not UTF-8") from None
    else:  # a text is JSON itself; what came as a structure (Arrow) is written as JSON
        text = value if isinstance(value, str) else (plain_json({"": value}) or "")[4:-1]
    check_json(text)
    return None if text == "null" else text


def check_json(text: str) -> None:
    """What jsonb refuses is refused here, with a reason: NUL, half characters, text that is no JSON."""
    if "\\u0000" in text:
        raise Refused("nul_in_text", "the JSON holds a NUL character, which Postgres cannot store")
    if _ENDLESS.search(text):
        raise Refused("out_of_range", "the JSON holds a number with more than 9,999 digits")
    try:
        json.dumps(json.loads(text, parse_constant=_no_constant, parse_float=str), ensure_ascii=False).encode()
    except ValueError:  # UnicodeEncodeError is one, too
        raise Refused("bad_json", "no JSON, or half a character in it") from None
    except RecursionError:
        raise Refused("bad_json", "the JSON is nested too deep") from None


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are no JSON, and jsonb refuses them


_SLOW: dict[str, Callable[[Any, ZoneInfo], Any]] = {
    "text": _one_text, "integer": _one_integer, "amount": _one_amount, "rate": _one_rate, "boolean": _one_boolean,
    "date": _one_date, "timestamp": _one_stamp, "json": _one_json,
}
