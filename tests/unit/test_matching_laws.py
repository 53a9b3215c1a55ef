"""What holds for every pair of files: nothing is lost, order and ids decide nothing, what was planted is found, and
sums that nobody planted are not.
"""

from __future__ import annotations

import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.match_cases import groups_of, item, reasons_of
from tests.unit.match_statement import scored, statement
from tieout.matching import tables
from tieout.matching.engine import match
from tieout.matching.items import items_of
from tieout.matching.joins import pairs
from tieout.matching.references import named, own_names
from tieout.matching.rules import Rules

RULES = Rules.model_validate(
    {
        "tolerance": {"absolute": 1, "percent": 1},
        "variance": {
            "discounts": [{"percent": 2, "days": 14}],
            "fees": [{"fixed": 1}],
            "tax_rates": [19],
            "fx": {"bp": 20},
        },
    }
)
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Few parties, amounts and days, so that everything collides with everything.
record = st.fixed_dictionaries(
    {
        "amount": st.integers(-400, 900).map(lambda n: f"{n / 4:.2f}"),
        "currency": st.sampled_from(["EUR", "USD", "JPY"]),
        "party": st.sampled_from(["Acme GmbH", "ACME", "Bolt AG", "Cord", None]),
        "date": st.sampled_from(["2025-01-05", "2025-01-06", "2025-02-10", "2025-03-01", None]),
        "reference": st.sampled_from(["INV-1001", "INV-1002", "2025/00012", "INV-1001;INV-1002", None, "PO 77123"]),
        "text": st.sampled_from(["inv 1001 and 1002", "RG 2025/12", "", "INV-1020", "PO77123 INV-1001"]),
    }
)


def whole(records, prefix):
    """The records with ids; yen have no decimals."""
    return [
        {**r, "id": f"{prefix}{n}", "amount": r["amount"].split(".")[0] if r["currency"] == "JPY" else r["amount"]}
        for n, r in enumerate(records)
    ]


sides = st.tuples(st.lists(record, max_size=14), st.lists(record, max_size=14))


@QUICK
@given(sides)
def test_nothing_is_lost(both):
    """match() itself raises where a count or an amount does not add up; here it is added up once more by other
    means.
    """
    left, right = whole(both[0], "p"), whole(both[1], "i")
    found = match(items_of(left), items_of(right), RULES)
    where = [frozenset(), frozenset()]
    for ours, theirs in groups_of(found):
        assert not ours & where[0] and not theirs & where[1] and ours and theirs
        where = [where[0] | ours, where[1] | theirs]
    assert len(where[0]) + len(found.scoped_left) + (found.breaks.side == "left").sum() == len(left)
    assert len(where[1]) + len(found.scoped_right) + (found.breaks.side == "right").sum() == len(right)


@QUICK
@given(sides, st.randoms(use_true_random=False))
def test_order_and_ids_decide_nothing(both, rng):
    left, right = whole(both[0], "p"), whole(both[1], "i")
    before = match(items_of(left), items_of(right), RULES)
    places = rng.sample(range(len(left) + len(right)), len(left) + len(right))
    new = {r["id"]: f"n{place:03d}" for r, place in zip(left + right, places, strict=True)}
    shuffled = [[{**r, "id": new[r["id"]]} for r in rng.sample(side, len(side))] for side in (left, right)]
    after = match(items_of(shuffled[0]), items_of(shuffled[1]), RULES)
    for status in ("confirmed", "suggested"):
        renamed = {(frozenset(new[n] for n in a), frozenset(new[n] for n in b)) for a, b in groups_of(before, status)}
        assert renamed == groups_of(after, status)
    assert reasons_of(before) == reasons_of(after)


@QUICK
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_what_was_planted_is_found(seed, parties):
    """Each party pays two to four invoices of odd amounts with one transfer that names nothing."""
    rng = random.Random(seed)
    left, right, planted = [], [], set()
    for p in range(parties):
        name = f"{rng.choice(('Alpha', 'Bravo', 'Delta'))} {rng.getrandbits(30):x}works"
        amounts = [rng.randrange(100_001, 9_999_999) for _ in range(rng.randrange(2, 5))]
        for n, cents in enumerate(amounts):
            right.append(item(f"i{p}.{n}", f"{cents // 100}.{cents % 100:02d}", party=name, date="2025-01-05"))
        total = sum(amounts)
        left.append(item(f"p{p}", f"{total // 100}.{total % 100:02d}", party=name, date="2025-02-01"))
        right.append(item(f"x{p}", f"{rng.randrange(100, 999)}.77", party=name, date="2025-01-05"))
        planted.add((frozenset({f"p{p}"}), frozenset(f"i{p}.{n}" for n in range(len(amounts)))))
    assert groups_of(match(items_of(left), items_of(right), Rules())) == planted


@pytest.mark.parametrize("step", [1, 100, 500, 5000])
def test_sums_that_nobody_planted_are_not_believed(step):
    """Amounts that are multiples of a step: the rounder they are, the more sums fit by accident."""
    believed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        right = [
            item(f"i{n}", f"{cents // 100}.{cents % 100:02d}", party="Acme Works")
            for n, cents in enumerate((rng.integers(1, 1 + 500_000 // step, 10) * step).tolist())
        ]
        cents = int(rng.integers(2, 1 + 1_500_000 // step)) * step
        left = [
            item("p", f"{cents // 100}.{cents % 100:02d}", party="Acme Works"),
            item("q", "0.01", party="Acme Works"),
        ]
        believed += sum(len(theirs) > 1 for _, theirs in groups_of(match(items_of(left), items_of(right), Rules())))
    assert believed <= 1


SEPARATORS = ("", "-", " ", "/", ".")


@QUICK
@given(
    st.text("ABCDEFGH", min_size=0, max_size=3),
    st.integers(1000, 99_999_999),
    st.integers(0, 4),
    st.sampled_from(SEPARATORS),
    st.sampled_from(SEPARATORS),
    st.booleans(),
)
def test_a_reference_is_found_however_it_is_written(prefix, number, zeros, one, other, lower):
    import pyarrow as pa

    reference = f"{prefix}{one}{'0' * zeros}{number}"
    text = f"pays {prefix.lower() if lower else prefix}{other}{number}, thanks"
    own = own_names([pa.array([reference])], 4)
    _, rows = named([pa.array(["nothing 12", text])], np.unique(own.value), 4)
    assert set(rows.tolist()) == {1}


@pytest.mark.parametrize("parties", [True, False], ids=["with a party column", "party in the text"])
@pytest.mark.parametrize("seed", [101, 102, 103])
def test_a_bank_statement(seed, parties):
    """The generator was at hand while the passes were written, these seeds were not. Targets: what is believed is
    right in 999 of 1,000 couples; F1 of all couples 0.97.
    """
    made = statement(seed, 1500, parties=parties)
    rules = Rules.model_validate({"variance": {"discounts": [{"percent": 2, "days": 14}]}})
    result = match(items_of(made.payments), items_of(made.invoices), rules)
    left, right = result.facts.left.ids.to_pylist(), result.facts.right.ids.to_pylist()
    found = {(left[i], right[j]) for i, j in zip(*(each.tolist() for each in result.pairs()), strict=True)}
    figures = scored(made.truth, found)
    assert len(made.truth) > 1200
    assert figures["precision"] >= 0.999 and figures["f1"] >= 0.97, figures


def test_too_many_pairs_drop_whole_keys_of_one_size():
    """Memory has an end; which keys are left out depends on their size and on nothing else."""
    left, right = np.array([1, 1, 1, 2, 2, 3, 4, 4]), np.array([1, 1, 2, 2, 3, 4, 4])
    assert len(pairs(left, right)[0]) == 6 + 4 + 1 + 4
    i, j = pairs(left, right, total=9)  # the keys 2 and 4 make four pairs each, and both stay or neither
    assert sorted(left[i].tolist()) == [2] * 4 + [3] + [4] * 4 and (left[i] == right[j]).all()
    assert left[pairs(left, right, total=8)[0]].tolist() == [3]
    assert len(pairs(left, right, cap=3)[0]) == 1


def test_what_is_applied_adds_up():
    """In a match that is equal, short or over, both sides apply the same amount, and no item more than it has."""
    made = statement(9, 600)
    result = match(items_of(made.payments), items_of(made.invoices), Rules())
    rows = [r for r in tables.members(result).to_pylist() if r["status"] == "confirmed"]
    reasons = {r["match_id"]: r["reason"] for r in tables.matches(result).to_pylist()}
    total: dict[str, Decimal] = {}
    for row in rows:
        amount, applied = Decimal(row["amount"]), Decimal(row["applied_amount"])
        assert abs(applied) <= abs(amount)
        if reasons[row["match_id"]] in ("", "B3", "A7"):
            total[row["match_id"]] = total.get(row["match_id"], Decimal(0)) + (
                applied if row["side"] == "left" else -applied
            )
    assert len(total) > 300 and set(total.values()) == {Decimal("0.00")}
    assert {reasons[name] for name in total} == {"", "B3", "A7"}
