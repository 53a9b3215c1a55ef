"""Amounts as text → whole minor units (int64), exactly or not at all. Never through binary floating point."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# ISO 4217; every other currency has two. The warehouse keeps the same list as a seed, and a test compares them.
_NONE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
_THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
UNITS = {**dict.fromkeys(_NONE, 0), **dict.fromkeys(_THREE, 3), "CLF": 4, "UYW": 4}
LARGEST = 10**15  # minor units: a thousand such amounts still fit into 64 bits
_PLAIN = r"^(?P<s>[+-]?)(?P<i>\d{1,15})(?:\.(?P<f>\d{0,6})0*)?$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?")


def units(currency: str) -> int:
    """Decimal places of a currency's minor unit."""
    return UNITS.get(currency, 2)


def to_minor(amount: Decimal, currency: str) -> int:
    """An amount in minor units; ValueError where it is finer than the minor unit."""
    scaled = amount.scaleb(units(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} is finer than the minor unit of {currency}")
    return int(scaled)


def from_minor(minor: int, currency: str) -> Decimal:
    """Minor units as an amount: 1234 EUR → 12.34."""
    return Decimal(int(minor)).scaleb(-units(currency))


def cleaned(values: pa.Array, decimal: str, thousands: str) -> pa.Array:
    """A file's way of writing numbers → digits, a point and a sign in front. `(5)`, `5-` and `5 DR` are negative."""
    text = pc.utf8_trim_whitespace(pc.fill_null(values, ""))
    text = pc.replace_substring_regex(text, r"[\s\x{a0}\x{202f}\x{2009}]", "")
    if thousands.strip():
        text = pc.replace_substring(text, thousands, "")
    if decimal != ".":
        text = pc.replace_substring(text, decimal, ".")
    text = pc.replace_substring(text, "\u2212", "-")
    text = pc.replace_substring_regex(text, r"^\((.*)\)$", r"-\1")
    text = pc.replace_substring_regex(text, r"^([^-]*)(?:-|DR|dr)$", r"-\1")
    return pc.replace_substring_regex(text, r"(?:CR|cr)$", "")


def minor_units(text: pa.Array, places: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Cleaned numbers → (minor units int64, {row: why not}). `places`: minor unit digits of each row. Empty is a
    fault.
    """
    parts = pc.extract_regex(text, _PLAIN)
    plain = ~np.asarray(pc.is_null(parts))
    whole = _digits(pc.struct_field(parts, "i"))
    fine = _digits(pc.utf8_rpad(pc.fill_null(pc.struct_field(parts, "f"), ""), 6, "0"))
    step = 10 ** (6 - places.astype(np.int64))
    value = whole * 10 ** places.astype(np.int64) + fine // step
    good = plain & (fine % step == 0) & (value <= LARGEST) & (whole <= LARGEST)
    negative = np.asarray(pc.fill_null(pc.equal(pc.struct_field(parts, "s"), "-"), False))
    value = np.where(negative, -value, value)
    faults = {}
    for row in np.flatnonzero(~good).tolist():
        try:
            value[row] = _careful(text[row].as_py(), int(places[row]))
        except ValueError as why:
            faults[row] = str(why)
            value[row] = 0
    return value, faults


def _digits(text: pa.Array) -> np.ndarray:
    filled = pc.if_else(pc.equal(pc.fill_null(text, ""), ""), "0", pc.fill_null(text, "0"))
    return pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False).copy()


def _careful(text: str, places: int) -> int:
    if not text:
        raise ValueError("the amount is empty")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no number")
    try:
        scaled = Decimal(text).scaleb(places)
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is no number") from None
    if abs(scaled) > LARGEST:
        raise ValueError(f"{text[:40]} is larger than {LARGEST:,} minor units")
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text[:40]} is finer than the currency's minor unit ({places} places)")
    return int(scaled)
