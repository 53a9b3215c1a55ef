"""A result as tables: matches, members, breaks. Amounts are text with all of the currency's decimals.

A match's id is made of the ids of its members, so it is the same in every run that finds the same match.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieout.matching import money
from tieout.matching.breaks import REASONS
from tieout.matching.items import NO_DATE, Items
from tieout.matching.joins import counts, sums

if TYPE_CHECKING:
    from tieout.matching.book import Groups
    from tieout.matching.engine import Result


def amounts(minor: np.ndarray, currency: np.ndarray, words: tuple[str, ...]) -> pa.Array:
    """Minor units as text: 1234 EUR → 12.34, 1234 JPY → 1234."""
    places = np.array([money.units(word) for word in words] or [0], np.int64)[currency]
    step = 10**places
    size = np.abs(minor)
    whole = pc.cast(pa.array(size // step), pa.string())
    sign = pa.array(np.where(minor < 0, "-", "").astype(object), pa.string())
    text = pc.binary_join_element_wise(sign, whole, "")
    fine = pc.cast(pa.array(size % step), pa.string())
    for digits in np.unique(places[places > 0]).tolist():
        dotted = pc.binary_join_element_wise(text, pc.utf8_lpad(fine, digits, "0"), ".")
        text = pc.if_else(pa.array(places == digits), dotted, text)
    return text


def matches(result: Result) -> pa.Table:
    """One row per match: confirmed ones first, then suggestions. Amounts are sums of the first currency of the
    match.
    """
    tables = [
        _matches(result, name, made, status)
        for status, found in (("confirmed", result.confirmed), ("suggested", result.suggested))
        for name, made in found
    ]
    return pa.concat_tables(tables) if tables else _matches(result, "", _nothing(), "")


def _matches(result: Result, name: str, made: Groups, status: str) -> pa.Table:
    facts = result.facts
    currency = np.zeros(made.count, np.int64)
    currency[made.left_group] = facts.left_currency[made.left]
    left = sums(made.left_group, facts.left.amount[made.left], made.count)
    mine = facts.right_currency[made.right] == currency[made.right_group]
    right = sums(made.right_group[mine], facts.right.amount[made.right[mine]], made.count)
    words = facts.currencies
    return pa.table({
        "match_id": ids(result, made),
        "status": pa.array([status] * made.count, pa.string()),
        "pass": pa.array([name] * made.count, pa.string()),
        "confidence": pa.array(np.round(made.confidence, 4)),
        "margin": pa.array(np.round(made.margin, 2)),
        "left_count": pa.array(counts(made.left_group, made.count).astype(np.int64)),
        "right_count": pa.array(counts(made.right_group, made.count).astype(np.int64)),
        "currency": pa.array(np.array(words or ("",), object)[currency], pa.string()),
        "left_amount": amounts(left, currency, words),
        "right_amount": amounts(right, currency, words),
        "difference": amounts(left - right, currency, words),
        "reason": pa.array(made.reason.astype(object), pa.string()),
    })  # fmt: skip


def members(result: Result) -> pa.Table:
    """One row per item of a match, with what of its amount the match applies."""
    tables = []
    for status, found in (("confirmed", result.confirmed), ("suggested", result.suggested)):
        for _, made in found:
            names = ids(result, made)
            applied = _applied(result, made)
            for side, row, group in (("left", made.left, made.left_group), ("right", made.right, made.right_group)):
                items: Items = getattr(result.facts, side)
                currency = getattr(result.facts, f"{side}_currency")[row]
                tables.append(pa.table({
                    "match_id": names.take(pa.array(group)),
                    "status": pa.array([status] * len(row), pa.string()),
                    "side": pa.array([side] * len(row), pa.string()),
                    "id": items.ids.take(pa.array(row)),
                    "currency": items.currency.take(pa.array(row)),
                    "amount": amounts(items.amount[row], currency, result.facts.currencies),
                    "applied_amount": amounts(applied[side], currency, result.facts.currencies),
                }))  # fmt: skip
    return pa.concat_tables(tables) if tables else _no_rows("match_id status side id currency amount applied_amount")


def _applied(result: Result, made: Groups) -> dict[str, np.ndarray]:
    """Each member's amount; what was paid short or over is applied to the oldest items first."""
    facts = result.facts
    applied = {"left": facts.left.amount[made.left].copy(), "right": facts.right.amount[made.right].copy()}
    for code, side, other in (("B3", "right", "left"), ("A7", "left", "right")):
        row, group = getattr(made, side), getattr(made, f"{side}_group")
        budget = sums(getattr(made, f"{other}_group"), applied[other], made.count)
        concerned = np.flatnonzero((made.reason == code)[group])
        items: Items = getattr(facts, side)
        value, of_group = items.amount[row[concerned]], group[concerned]
        adds = np.sign(value) == np.sign(budget[of_group])  # a credit among invoices counts first, and in full
        order = np.lexsort((np.abs(value), items.day[row[concerned]], adds, of_group))
        for place, counts_down in zip(concerned[order].tolist(), adds[order].tolist(), strict=True):
            of, part = group[place], int(applied[side][place])
            if counts_down:
                part = max(min(part, int(budget[of])), 0) if part > 0 else min(max(part, int(budget[of])), 0)
            applied[side][place] = part
            budget[of] -= part
    return applied


def breaks(result: Result) -> pa.Table:
    """One row per break. `amount` is left minus right; `item` the open item's id, `match_id` the match that differs."""
    facts, found = result.facts, result.breaks
    at_l, at_r, at_m = (found.side == side for side in ("left", "right", "match"))
    size = len(found.row)
    item, party = np.full(size, None, object), np.full(size, None, object)
    match_id, suggestion = np.full(size, None, object), np.full(size, None, object)
    day = np.full(size, NO_DATE, np.int32)
    for at, items in ((at_l, facts.left), (at_r, facts.right)):
        rows = pa.array(found.row[at])
        item[at] = items.ids.take(rows).to_pylist()
        day[at] = items.day[found.row[at]]
        if items.party is not None:
            party[at] = items.party.take(rows).to_pylist()
    match_id[at_m] = _all_ids(result, result.confirmed, found.row[at_m])
    offered = found.suggestion >= 0
    suggestion[offered] = _all_ids(result, result.suggested, found.suggestion[offered])
    currency = found.currency.astype(np.int64)
    words = np.array(facts.currencies or ("",), object)[currency]
    day_text = pc.if_else(pa.array(day == NO_DATE), pa.scalar(None, pa.string()),
                          pc.cast(pc.cast(pa.array(np.where(day == NO_DATE, 0, day).astype(np.int32)), pa.date32()),
                                  pa.string()))  # fmt: skip
    return pa.table({
        "break_id": pa.array(_break_ids(found.side, item, match_id, words), pa.string()),
        "side": pa.array(found.side.astype(object), pa.string()),
        "item": pa.array(item, pa.string()),
        "match_id": pa.array(match_id, pa.string()),
        "date": day_text,
        "party": pa.array(party, pa.string()),
        "currency": pa.array(np.array(facts.currencies or ("",), object)[currency], pa.string()),
        "amount": amounts(found.amount.astype(np.int64), currency, facts.currencies),
        "reason": pa.array(found.reason.astype(object), pa.string()),
        "meaning": pa.array([REASONS[word] for word in found.reason.tolist()], pa.string()),
        "suggested_match": pa.array(suggestion, pa.string()),
    })  # fmt: skip


def _break_ids(side: np.ndarray, item: np.ndarray, match_id: np.ndarray, currency: np.ndarray) -> list[str]:
    """The same break has the same id in every run: made of what is open, not of where it stands."""
    whole = zip(side.tolist(), item.tolist(), match_id.tolist(), currency.tolist(), strict=True)
    return [hashlib.blake2b(f"{a} {b} {c} {d}".encode(), digest_size=8).hexdigest() for a, b, c, d in whole]


def _all_ids(result: Result, found: list[tuple[str, Groups]], numbers: np.ndarray) -> list[str]:
    if not len(numbers):
        return []
    names = pa.concat_arrays([ids(result, made) for _, made in found])
    return names.take(pa.array(numbers)).to_pylist()


def ids(result: Result, made: Groups) -> pa.Array:
    """Sixteen hexadecimal digits per group: the sum of its members' hashes, so their order does not count."""
    total = np.zeros(made.count, np.uint64)
    for side, row, group in (("left", made.left, made.left_group), ("right", made.right, made.right_group)):
        names = getattr(result.facts, side).ids.take(pa.array(row)).to_pylist()
        digests = b"".join(hashlib.blake2b(f"{side} {name}".encode(), digest_size=8).digest() for name in names)
        np.add.at(total, group, np.frombuffer(digests, np.uint64) if digests else np.zeros(0, np.uint64))
    return pa.array([f"{each:016x}" for each in total.tolist()], pa.string())


def _nothing() -> Groups:
    from tieout.matching.book import couples

    return couples(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _no_rows(columns: str) -> pa.Table:
    return pa.table({name: pa.array([], pa.string()) for name in columns.split()})
