"""Pairs that nothing names for certain: scored by evidence, taken by iterative mutual best, confirmed by their lead.

The score adds evidence in bits, roughly: how rare the amount is, the same party, a reference or something one slip away
from it, a date that fits what was seen so far. Its parts are all symmetrical: no id and no row number decides. Two
candidates that score alike make both doubtful.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tieout.matching import spelling, variance
from tieout.matching.book import Book, couples, groups
from tieout.matching.facts import Facts
from tieout.matching.items import NO_DATE
from tieout.matching.joins import components, counts, distinct, pairs
from tieout.matching.parties import UNKNOWN
from tieout.matching.references import TAIL, WHOLE, mixed

ROUNDS = 50


@dataclass
class Candidates:
    """Pairs (left, right) with their score, reason of a difference, and whether something beside the amount speaks
    for it.
    """

    left: np.ndarray
    right: np.ndarray
    score: np.ndarray
    reason: np.ndarray
    grounds: np.ndarray

    def only(self, keep: np.ndarray) -> Candidates:
        """The candidates where `keep`."""
        return Candidates(self.left[keep], self.right[keep], self.score[keep], self.reason[keep], self.grounds[keep])


def by_score(facts: Facts, book: Book) -> None:
    """Confirm pairs that are each other's best by a clear lead; suggest the rest that is likely."""
    rules = facts.rules.scored
    found = candidates(facts, book)
    for _ in range(ROUNDS):
        found = found.only(book.open_left[found.left] & book.open_right[found.right])
        lead, mutual = leads(found, len(facts.left), len(facts.right))
        sure = mutual & found.grounds & (found.score >= rules.confirm) & (lead >= rules.margin)
        chosen = found.only(sure)
        confidence = 1 - 0.5 ** np.minimum(np.minimum(chosen.score, 6 + lead[sure]), 20)
        if not book.take(couples(chosen.left, chosen.right, confidence, lead[sure], chosen.reason)):
            break
    _suggest(facts, book, found)


def candidates(facts: Facts, book: Book) -> Candidates:
    """All pairs worth a score: equal or explainable amounts of one party, or of one currency where the amount is
    rare.
    """
    left, right = np.flatnonzero(book.open_left), np.flatnonzero(book.open_right)
    party_l, party_r = facts.parties.left[left], facts.parties.right[right]
    made: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def join(amount_r: np.ndarray, reason: str, party: bool, chosen: np.ndarray | None = None) -> None:
        at_l = np.flatnonzero(party_l != UNKNOWN) if party else np.arange(len(left))
        at_r = np.flatnonzero((party_r != UNKNOWN) if party else np.ones(len(right), bool))
        if chosen is not None:
            at_r = at_r[chosen[at_r]]
        parts_l = [facts.left.amount[left[at_l]], facts.left_currency[left[at_l]]]
        parts_r = [amount_r[at_r], facts.right_currency[right[at_r]]]
        if party:
            parts_l.append(party_l[at_l])
            parts_r.append(party_r[at_r])
        i, j = pairs(mixed(*parts_l), mixed(*parts_r), facts.rules.scored.pairs)
        i, j = left[at_l[i]], right[at_r[j]]
        keep = facts.in_window(i, j)
        made.append((i[keep], j[keep], np.full(int(keep.sum()), reason)))

    amounts = facts.right.amount[right]
    join(amounts, "", False)
    if facts.parties.comparable:
        join(amounts, "", True)
        for reason, amount, days in variance.derived(facts):
            differs = (amount != facts.right.amount)[right]
            join(amount[right], reason, True, differs)
            if days is not None:
                i, j, code = made.pop()
                soon = facts.gap(i, j) <= days
                made.append((i[soon], j[soon], code[soon]))
    i, j, reason = (np.concatenate(each) for each in zip(*made, strict=True))
    order = distinct(i, j, reason)  # the plain reason sorts first
    i, j, reason = i[order], j[order], reason[order]
    fresh = np.r_[True, (i[1:] != i[:-1]) | (j[1:] != j[:-1])] if len(i) else np.zeros(0, bool)
    return _scored(facts, i[fresh], j[fresh], reason[fresh])


def _scored(facts: Facts, i: np.ndarray, j: np.ndarray, reason: np.ndarray) -> Candidates:
    plain = reason == ""
    score = np.where(plain, 2 + 0.5 * _rarity(facts, j), 1 + 0.25 * _rarity(facts, j))
    same, other = facts.same_party(i, j), facts.other_party(i, j)
    alike = facts.parties.alike[i]
    score += np.where(same, np.where(alike, 2.0, 3.0), 0) - np.where(other, np.where(alike, 2.0, 4.0), 0)
    strength = _shared(facts, i, j)
    score += np.array([0, 2.0, 4.0, 5.0])[strength]
    grounds = same | (strength >= TAIL)
    slip = spelling.one_slip(facts, i, j, strength == 0)
    score += np.where(slip, 3.0, 0)
    likeness = _likeness(facts, i, j, ~same & ~other)
    score += np.select([likeness >= 90, likeness >= 75, (likeness >= 0) & (likeness < 40)], [3.0, 1.5, -2.0], 0.0)
    grounds |= slip | (likeness >= 75)
    score -= np.where(_names_other(facts, i) & (strength < TAIL), 4.0, 0)
    score -= np.where(_dangling(facts)[i] & (strength == 0) & ~slip, 1.0, 0)
    score -= _misfit(facts, i, j)
    if not facts.parties.comparable and not facts.has_names and not _has_words(facts):
        grounds |= True  # amount and date are all that these files have
    return Candidates(i, j, score, reason, grounds & ~(other & ~(strength >= TAIL) & ~slip))


def _rarity(facts: Facts, j: np.ndarray) -> np.ndarray:
    """log2 of how rare the right item's amount is among right items of its currency, at most 10."""
    if "rarity" not in facts.memo:
        key = mixed(facts.right.amount, facts.right_currency)
        _, of, size = np.unique(key, return_inverse=True, return_counts=True)
        total = counts(facts.right_currency, max(len(facts.currencies), 1))[facts.right_currency]
        facts.memo["rarity"] = np.minimum(np.log2(np.maximum(total, 64) / size[of]), 10)
    return facts.memo["rarity"][j]


def _shared(facts: Facts, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """The strength of the strongest name that joins the pair; 0 where none does."""
    strength = np.zeros(len(i), np.int64)
    for edges in (facts.edges, facts.equal):
        key = mixed(edges.left, edges.right)
        order = np.argsort(key)
        if not len(order) or not len(i):
            continue
        wanted = mixed(i, j)
        place = np.minimum(np.searchsorted(key[order], wanted), len(order) - 1)
        hit = key[order][place] == wanted
        strength = np.maximum(strength, np.where(hit, edges.strength[order][place], 0))
    return strength


def _likeness(facts: Facts, i: np.ndarray, j: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """How far the right party's name is found in the left party or texts, of 100; −1 where there is nothing to
    compare.
    """
    from rapidfuzz import fuzz, process

    from tieout.matching.parties import normal

    likeness = np.full(len(i), -1.0)
    words = spelling.joined(((facts.left.party,) if facts.left.party is not None else ()) + facts.left.texts)
    if facts.right.party is None or words is None:
        return likeness
    rows = np.flatnonzero(asked)
    named, said = facts.right.party.take(pa.array(j[rows])).to_pylist(), words.take(pa.array(i[rows])).to_pylist()
    memo: dict[str, str] = {}
    ours = [memo.setdefault(name, normal(name)) if name else "" for name in named]
    theirs = [memo.setdefault(text, normal(text)) if text else "" for text in said]
    wordy = np.array(
        [sum(c.isalpha() for c in name) >= 4 and bool(text) for name, text in zip(ours, theirs, strict=True)], bool
    )
    if wordy.any():
        at = np.flatnonzero(wordy)
        found = process.cpdist(
            [ours[k] for k in at], [theirs[k] for k in at], scorer=fuzz.token_set_ratio, dtype=np.float32
        )
        likeness[rows[at]] = found
    return likeness


def _names_other(facts: Facts, i: np.ndarray) -> np.ndarray:
    """Left items that wholly name some right item (asked of pairs that they do not name)."""
    speaks = np.zeros(len(facts.left), bool)
    for edges in (facts.edges, facts.equal):
        speaks[edges.left[edges.strength >= WHOLE]] = True
    return speaks[i]


def _dangling(facts: Facts) -> np.ndarray:
    """Left items that carry a reference which names nothing."""
    import pyarrow.compute as pc

    some = np.zeros(len(facts.left), bool)
    for column in facts.left.references:
        some |= np.asarray(pc.fill_null(pc.match_substring_regex(column, r"\d{3}"), False))
    some[facts.hits_left[1]] = False
    return some


def _has_words(facts: Facts) -> bool:
    return bool(facts.right.party is not None and (facts.left.party is not None or facts.left.texts))


def _misfit(facts: Facts, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """How badly the days between the two fit what confirmed pairs of this run showed: 0 to 3; 2 more against time.

    Before anything was seen, payments and documents follow after about two weeks, and two books of one event hardly
    differ.
    """
    follows = facts.rules.kind in ("payments", "documents")
    usual, spread = facts.memo.get("lag", np.array([15.0, 15.0] if follows else [0.0, 10.0]))
    gap = facts.gap(i, j)
    known = (facts.left.day[i] != NO_DATE) & (facts.right.day[j] != NO_DATE)
    misfit = np.where(known, np.minimum(np.abs(gap - usual) / spread, 3.0), 1.0)
    return misfit + np.where(known & (gap < 0) & follows, 2.0, 0.0)


def learn_lag(facts: Facts, book: Book) -> None:
    """The usual days from right to left, and their spread, from what earlier passes confirmed."""
    gaps = [facts.gap(g.left, g.right) for _, g in book.confirmed if len(g.left) == len(g.right) == g.count]
    seen = np.concatenate(gaps) if gaps else np.zeros(0)
    if len(seen) >= 30:
        usual = float(np.median(seen))
        facts.memo["lag"] = np.array([usual, max(7.0, 1.5 * float(np.median(np.abs(seen - usual))))])


def leads(found: Candidates, size_left: int, size_right: int) -> tuple[np.ndarray, np.ndarray]:
    """Each candidate's lead over the best other candidate of either of its items, and whether it is best for both."""
    lead = np.full(len(found.left), np.inf)
    for row, size in ((found.left, size_left), (found.right, size_right)):
        best, second = np.full(size, -np.inf), np.full(size, -np.inf)
        np.maximum.at(best, row, found.score)
        top = found.score == best[row]
        np.maximum.at(second, row[~top], found.score[~top])
        tied = counts(row[top], size) > 1
        second[tied] = best[tied]
        lead = np.minimum(lead, np.where(top, found.score - second[row], found.score - best[row]))
    return np.minimum(lead, 99.0), lead >= 0


def _suggest(facts: Facts, book: Book, found: Candidates) -> None:
    """What is best for both sides, or tied for it: one suggestion per pair, or per set of equals that nothing tells
    apart.
    """
    lead, best = leads(found, len(facts.left), len(facts.right))
    likely = best & (found.score >= facts.rules.scored.suggest)
    chosen, lead = found.only(likely), lead[likely]
    if not len(chosen.left):
        return
    label_l, label_r = components(chosen.left, chosen.right, len(facts.left), len(facts.right))
    left, right = np.unique(chosen.left), np.unique(chosen.right)
    _, number = np.unique(np.r_[label_l[left], label_r[right]], return_inverse=True)
    count = int(number.max()) + 1
    score, least = np.zeros(count), np.full(count, np.inf)
    of_pair = number[np.searchsorted(left, chosen.left)]
    np.maximum.at(score, of_pair, chosen.score)
    np.minimum.at(least, of_pair, lead)
    book.suggest(
        groups(
            left,
            number[: len(left)],
            right,
            number[len(left) :],
            count,
            np.minimum(1 - 0.5 ** np.maximum(score - 2, 0.2), 0.95),
            least,
        ),
    )
