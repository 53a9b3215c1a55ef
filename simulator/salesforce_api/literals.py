"""SOQL literals → the canonical text of `sim.db`, checked against the field's type as Salesforce does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from simulator.salesforce_api.catalog import SalesforceField
from simulator.salesforce_api.errors import ApiError, located
from simulator.salesforce_api.ids import is_id, long_id
from simulator.salesforce_api.soql import Value

_FITS = {
    "id": {"string"}, "text": {"string"}, "integer": {"number"}, "amount": {"number"}, "rate": {"number"},
    "boolean": {"boolean"}, "date": {"date", "relative"}, "stamp": {"stamp", "relative"},
}
_QUOTED = {"id", "text"}


@dataclass(frozen=True)
class Span:
    """A relative date such as LAST_MONTH: `start` is in, `end` is out; canonical text."""

    start: str
    end: str


def canonical(value: Value, field: SalesforceField, source: str, now: datetime) -> str | int | float | Span | None:
    """What to compare the column with; None for NULL. ApiError INVALID_FIELD when the types do not fit."""
    if value.kind == "null" or (value.kind == "string" and value.text == "" and field.kind in _QUOTED):
        return None
    if value.kind not in _FITS[field.kind]:
        quotes = "should be enclosed in quotes" if field.kind in _QUOTED else "should not be enclosed in quotes"
        message = f"value of filter criterion for field '{field.name}' must be of type {field.soql_type} and {quotes}"
        raise ApiError(400, "INVALID_FIELD", located(source, value.position, message))
    if value.kind == "relative":
        return _relative(value, field, source, now)
    if field.kind == "id":
        if not is_id(value.text):
            raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR",
                           located(source, value.position, f"invalid ID field: {value.text}"))
        return long_id(value.text)
    if field.kind == "boolean":
        return int(value.text == "TRUE")
    if field.kind == "stamp":
        return _stamp(value, source)
    if field.kind == "date":
        return _day(value, source).isoformat()
    if field.kind == "text":
        return value.text
    return float(value.text) if "." in value.text else int(value.text)


def _stamp(value: Value, source: str) -> str:
    """UTC. A fraction stays, so that it compares right with whole seconds as text."""
    text = value.text.replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid_date(value, source) from None
    whole = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{whole}.{moment.microsecond:06d}" if moment.microsecond else whole


def _day(value: Value, source: str) -> date:
    try:
        return date.fromisoformat(value.text)
    except ValueError:
        raise _invalid_date(value, source) from None


def _invalid_date(value: Value, source: str) -> ApiError:
    return ApiError(400, "MALFORMED_QUERY", located(source, value.position, f"Invalid date: {value.text}"))


def _relative(value: Value, field: SalesforceField, source: str, now: datetime) -> Span:
    word, _, number = value.text.partition(":")
    today, days = now.date(), int(number or 0)
    first = today.replace(day=1)
    next_month = (first + timedelta(days=32)).replace(day=1)
    spans = {
        "TODAY": (today, today + timedelta(days=1)),
        "YESTERDAY": (today - timedelta(days=1), today),
        "TOMORROW": (today + timedelta(days=1), today + timedelta(days=2)),
        "LAST_N_DAYS": (today - timedelta(days=days), today + timedelta(days=1)),
        "NEXT_N_DAYS": (today + timedelta(days=1), today + timedelta(days=days + 1)),
        "THIS_MONTH": (first, next_month),
        "LAST_MONTH": ((first - timedelta(days=1)).replace(day=1), first),
        "THIS_YEAR": (date(today.year, 1, 1), date(today.year + 1, 1, 1)),
        "LAST_YEAR": (date(today.year - 1, 1, 1), date(today.year, 1, 1)),
    }
    if word not in spans:
        raise ApiError(400, "MALFORMED_QUERY", located(source, value.position, f"unexpected token: '{value.text}'"))
    start, end = spans[word]
    midnight = " 00:00:00" if field.kind == "stamp" else ""
    return Span(f"{start}{midnight}", f"{end}{midnight}")
