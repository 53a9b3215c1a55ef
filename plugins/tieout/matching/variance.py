"""Why two amounts differ: the tables of the rules, asked of whole columns. All in minor units, no binary floating
point.

A difference has one reason of the closed list: C6 rounding, C3 tax, C1 discount, C4 fee, D4 rate, the tolerance's
own, or what the payer's code means. Percentages are kept in millionths, so that 2.9 % of 10,000.00 is exact.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from tieout.matching import money
from tieout.matching.book import Groups
from tieout.matching.facts import Facts
from tieout.matching.items import NO_DATE
from tieout.matching.joins import counts, sums

MILLION = 1_000_000  # a percentage of p is p × 10,000 millionths
_SAFE = 9_000_000_000_000  # minor units: times a million still fits into 64 bits
SCALES = (10, 100, 1000, 10_000)


def share(amount: np.ndarray, percent: Decimal) -> np.ndarray:
    """So many percent of each amount, rounded half away from zero to the minor unit."""
    return ratio(amount, int(percent * 10_000), MILLION)


def ratio(amount: np.ndarray, above: int, below: int) -> np.ndarray:
    """amount × above ÷ below, rounded half away from zero. Python's whole numbers where 64 bits are too few."""
    amount = np.asarray(amount, np.int64)
    if len(amount) and int(np.abs(amount).max()) * max(above, 1) * 2 < 2**62:
        size = (np.abs(amount) * (2 * above) + below) // (2 * below)
        return np.where(amount < 0, -size, size)
    sized = [(abs(int(each)) * 2 * above + below) // (2 * below) * (-1 if each < 0 else 1) for each in amount]
    return np.array(sized, np.int64)


def allowed(facts: Facts, amount: np.ndarray, currency: np.ndarray) -> np.ndarray:
    """The tolerance for right amounts, in minor units: absolute and percent, the smaller wins; none where none is
    given.
    """
    rule = facts.rules.tolerance
    if rule.absolute is None and rule.percent is None:
        return np.zeros(len(amount), np.int64)
    limit = np.full(len(amount), 2**62, np.int64)
    if rule.absolute is not None:
        table = np.array([int(rule.absolute.scaleb(money.units(word))) for word in facts.currencies], np.int64)
        limit = np.minimum(limit, table[currency])
    if rule.percent is not None:
        cut = [int(abs(int(each)) * rule.percent / 100) for each in amount]
        limit = np.minimum(limit, np.array(cut, np.int64))
    return limit


def explained(facts: Facts, proposed: Groups, *, fallback: bool = False) -> Groups:
    """The groups with the reason of their difference: empty where there is none, or where nothing explains it.

    `fallback`: then say what kind of difference it is all the same: scale, sign, short or over.
    """
    left = sums(proposed.left_group, facts.left.amount[proposed.left], proposed.count)
    right = sums(proposed.right_group, facts.right.amount[proposed.right], proposed.count)
    reason = np.full(proposed.count, "", "U2")
    todo = left != right
    sizes = counts(proposed.left_group, proposed.count) + counts(proposed.right_group, proposed.count)
    currency = np.zeros(proposed.count, np.int64)
    currency[proposed.right_group] = facts.right_currency[proposed.right]
    days = _days(facts, proposed)
    tax_l, tax_r = (
        _tax(items.tax, rows, of, proposed.count)
        for items, rows, of in (
            (facts.left, proposed.left, proposed.left_group),
            (facts.right, proposed.right, proposed.right_group),
        )
    )
    for code, fits in _reasons(facts, left, right, sizes, days, currency, tax_l, tax_r):
        hit = todo & (reason == "") & fits
        reason[hit] = code
    _by_code(facts, proposed, reason, todo)
    if fallback:
        _kind_of_difference(reason, todo, left, right)
    return Groups(
        proposed.count,
        proposed.left,
        proposed.left_group,
        proposed.right,
        proposed.right_group,
        proposed.confidence,
        proposed.margin,
        reason,
    )


def _reasons(
    facts: Facts,
    left: np.ndarray,
    right: np.ndarray,
    sizes: np.ndarray,
    days: np.ndarray,
    currency: np.ndarray,
    tax_l: np.ndarray,
    tax_r: np.ndarray,
) -> list[tuple[str, np.ndarray]]:
    rules, near = facts.rules.variance, facts.rules.variance.rounding
    short = right - left
    found = [("C6", np.abs(short) <= near * sizes)]
    for tax, difference in ((tax_r, short), (tax_l, -short)):
        found.append(("C3", (tax != 0) & (np.abs(difference - tax) <= near)))
    for terms in rules.discounts:
        in_time = np.ones(len(days), bool) if terms.days is None else days <= terms.days
        found.append(("C1", in_time & (np.abs(short - share(right, terms.percent)) <= near * sizes)))
    for fee in rules.fees:
        fixed = np.array([int(fee.fixed.scaleb(money.units(word))) for word in facts.currencies] or [0], np.int64)[
            currency
        ]
        kept = share(right, fee.percent) + fixed
        found.append(("C4", np.abs(short - kept) <= near))
    for rate in rules.tax_rates:
        above = int((100 + rate) * 10_000)
        for net, gross in ((left, right), (right, left)):
            found.append(("C3", np.abs(ratio(net, above, MILLION) - gross) <= near * sizes))
    if rules.fx.bp:
        found.append(("D4", np.abs(short) <= np.abs(ratio(right, int(rules.fx.bp * 100), MILLION))))
    found.append((facts.rules.tolerance.reason, np.abs(short) <= allowed(facts, right, currency)))
    return found


def _days(facts: Facts, proposed: Groups) -> np.ndarray:
    """Days from the group's oldest right item to its latest left one; very many where a date is absent."""
    last, first = np.full(proposed.count, -(2**40)), np.full(proposed.count, 2**40)
    left, right = facts.left.day[proposed.left].astype(np.int64), facts.right.day[proposed.right].astype(np.int64)
    np.maximum.at(last, proposed.left_group, left)
    np.minimum.at(first, proposed.right_group, right)
    unknown = np.zeros(proposed.count, bool)
    unknown[proposed.left_group[left == NO_DATE]] = True
    unknown[proposed.right_group[right == NO_DATE]] = True
    return np.where(unknown, 2**40, last - first)


def _tax(tax: np.ndarray | None, rows: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    return np.zeros(count, np.int64) if tax is None else sums(group, tax[rows], count)


def _by_code(facts: Facts, proposed: Groups, reason: np.ndarray, todo: np.ndarray) -> None:
    """What the payer's code on a left item means."""
    table = facts.rules.variance.reasons
    if not table or facts.left.reason is None:
        return
    words = facts.left.reason.take(_arrow(proposed.left)).to_pylist()
    for word, group in zip(words, proposed.left_group.tolist(), strict=True):
        if word in table and todo[group] and not reason[group]:
            reason[group] = table[word]


def _arrow(rows: np.ndarray) -> object:
    import pyarrow as pa

    return pa.array(rows)


def _kind_of_difference(reason: np.ndarray, todo: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """C7 a power of ten apart, C5 the opposite sign, B3 less than was due, A7 more than was due."""
    for scale in SCALES:
        reason[todo & (reason == "") & (left != 0) & ((left == right * scale) | (right == left * scale))] = "C7"
    reason[todo & (reason == "") & (left == -right)] = "C5"
    short = np.abs(left) < np.abs(right)
    reason[todo & (reason == "") & short] = "B3"
    reason[todo & (reason == "")] = "A7"


def converts(facts: Facts, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Whether left i is right j at the stated rate, within the stated basis points and one minor unit."""
    good = np.zeros(len(i), bool)
    fx = facts.rules.variance.fx
    for place, (row_l, row_r) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
        ours, theirs = facts.currencies[facts.left_currency[row_l]], facts.currencies[facts.right_currency[row_r]]
        rate = fx.rates.get(f"{theirs}/{ours}")
        if rate is None and (back := fx.rates.get(f"{ours}/{theirs}")):
            rate = 1 / back
        if rate is None:
            continue
        wanted = money.from_minor(int(facts.right.amount[row_r]), theirs) * rate
        wanted = wanted.scaleb(money.units(ours))
        good[place] = abs(int(facts.left.amount[row_l]) - wanted) <= abs(wanted) * fx.bp / 10_000 + 1
    return good


def same_number(facts: Facts, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Whether left i and right j show the same number, whatever the currency."""
    places = np.array([10 ** (4 - money.units(word)) for word in facts.currencies] or [1], np.int64)
    left, right = facts.left.amount[i], facts.right.amount[j]
    small = (np.abs(left) < _SAFE * 100) & (np.abs(right) < _SAFE * 100)
    return small & (left * places[facts.left_currency[i]] == right * places[facts.right_currency[j]])


def derived(facts: Facts) -> list[tuple[str, np.ndarray, int | None]]:
    """(reason, amount a left item would have, days within) for every right item and each table entry."""
    rules, right = facts.rules.variance, facts.right.amount
    found: list[tuple[str, np.ndarray, int | None]] = []
    found += [("C1", right - share(right, terms.percent), terms.days) for terms in rules.discounts]
    for fee in rules.fees:
        fixed = np.array([int(fee.fixed.scaleb(money.units(word))) for word in facts.currencies] or [0], np.int64)
        found.append(("C4", right - share(right, fee.percent) - fixed[facts.right_currency], None))
    found += [("C3", ratio(right, MILLION, int((100 + rate) * 10_000)), None) for rate in rules.tax_rates]
    if facts.right.tax is not None:
        found.append(("C3", np.where(facts.right.tax == 0, right, right - facts.right.tax), None))
    found += [("C6", right + step, None) for unit in range(1, rules.rounding + 1) for step in (unit, -unit)]
    return found
