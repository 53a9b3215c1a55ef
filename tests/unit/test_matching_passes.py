"""Worked cases of each pass, on a handful of items that a person can check."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tests.unit.match_cases import groups_of, item, reasons_of
from tieout.errors import MatchError
from tieout.matching import engine
from tieout.matching.combined import expected, subsets
from tieout.matching.engine import Decisions, match
from tieout.matching.facts import Alias
from tieout.matching.items import items_of
from tieout.matching.rules import Rules


def run(left, right, rules=None, **more):
    return match(items_of(left), items_of(right), Rules.model_validate(rules or {}), **more)


def test_the_smaller_tolerance_wins():
    """3 % and 15 absolute on 1,000 against 1,020: no. 26,000 against 25,990 ± 10: yes."""
    named = {"text": "INV-1001"}, {"reference": "INV-1001"}
    found = run(
        [item("p", 1000, **named[0])], [item("i", 1020, **named[1])], {"tolerance": {"absolute": 15, "percent": 3}}
    )
    assert [name for name, _ in found.confirmed] == ["named"]  # what is named belongs together, with a break
    assert reasons_of(found) == {("match", "B3", -2000)}
    found = run([item("p", 26000, **named[0])], [item("i", 25990, **named[1])], {"tolerance": {"absolute": 10}})
    assert [name for name, _ in found.confirmed] == ["variance"]
    assert reasons_of(found) == {("match", "C1", 1000)}


@pytest.mark.parametrize(("paid", "taken"), [("985.00", True), ("984.99", False)])
def test_a_tolerance_ends_where_it_says(paid, taken):
    found = run(
        [item("p", paid, text="INV-1001")],
        [item("i", "1000.00", reference="INV-1001")],
        {"tolerance": {"absolute": 15, "percent": 3}},
    )
    assert [name for name, _ in found.confirmed] == (["variance"] if taken else ["named"])


def test_several_for_several():
    """983 + 637 = 1,620 = 2,095 − 475."""
    found = run(
        [item("p", 2095, party="A"), item("c", -475, party="A")], [item("i", 983, party="A"), item("j", 637, party="A")]
    )
    assert groups_of(found) == {(frozenset("pc"), frozenset("ij"))}


def test_a_link_holds_whatever_the_amounts():
    found = run([item("p", 90, link="i")], [item("i", 100), item("j", 90)])
    assert groups_of(found) == {(frozenset("p"), frozenset("i"))}
    assert ("match", "B3", -1000) in reasons_of(found)


def test_decisions_come_first_and_forbid():
    left, right = [item("p", 100, text="INV-1001")], [item("i", 100, reference="INV-1001"), item("j", 100, party="X")]
    assert groups_of(run(left, right)) == {(frozenset("p"), frozenset("i"))}
    assert groups_of(run(left, right, decisions=Decisions(match=(("p", "j"),)))) == {(frozenset("p"), frozenset("j"))}
    assert groups_of(run(left, right, decisions=Decisions(never=(("p", "i"),)))) == set()
    found = run(left, right, decisions=Decisions(exclude_left=("p",)))
    assert found.scoped_left == {0: "H4"} and groups_of(found) == set()


def test_a_cross_reference_holds_on_its_days():
    left = [item("p", 100, reference="OLD-1", date="2025-02-01"), item("q", 70, reference="OLD-1", date="2025-09-01")]
    right = [item("i", 100, reference="NEW-77", date="2025-01-15")]
    from datetime import date

    table = [Alias("reference", "OLD-1", "NEW-77", date(2025, 1, 1), date(2025, 6, 30))]
    assert groups_of(run(left, right, aliases=table)) == {(frozenset("p"), frozenset("i"))}
    names = [Alias("party", "4711", "Acme GmbH", None, None)]
    found = run(
        [item("p", 33.3, party="4711", date="2025-02-01")],
        [item("i", 33.3, party="Acme GmbH", date="2025-01-15")],
        aliases=names,
    )
    assert groups_of(found) == {(frozenset("p"), frozenset("i"))}


def test_the_whole_balance_and_the_sum_of_a_day():
    right = [item(f"i{n}", f"{11 * n}.{n}7", party="A", date=f"2025-01-0{n}") for n in range(1, 9)]
    found = run(
        [item("p", "399.96", party="A", date="2025-02-01")], right
    )  # 396.00 and eight times 0.07, 3.60 in tenths
    assert groups_of(found) == set()
    found = run([item("p", "400.16", party="A", date="2025-02-01")], right)
    assert [name for name, _ in found.confirmed] == ["balance"] and len(found.confirmed[0][1].right) == 8
    cards = [item(f"c{n}", f"{7 + n}.{n}5", date="2025-03-04") for n in range(4)]
    found = run([item("payout", "34.80", date="2025-03-06")], cards)  # 7.05 + 8.15 + 9.25 + 10.35
    assert groups_of(found) == {(frozenset({"payout"}), frozenset({"c0", "c1", "c2", "c3"}))}


def test_a_sum_that_two_subsets_make_is_not_believed():
    right = [
        item(name, amount, party="A")
        for name, amount in (("i", 10.01), ("j", 20.02), ("k", 15.01), ("l", 15.02), ("m", 9))
    ]
    found = run([item("p", 30.03, party="A"), item("q", 1, party="A")], right)
    assert groups_of(found) == set()


def test_round_amounts_fit_too_easily():
    """One subset fits, but of amounts that are multiples of 50.00 one will nearly always: for review."""
    right = [item(f"i{n}", amount, party="A") for n, amount in enumerate((50, 150, 400, 850, 1000))]
    found = run([item("p", 550, party="A", date="2025-02-01"), item("q", 3, party="A")], right)
    assert groups_of(found) == set()
    assert groups_of(found, "suggested") == {(frozenset("p"), frozenset({"i1", "i2"}))}
    assert expected(np.array([5000, 15000, 40000]), 5, np.array([0, 1])) > 0.01
    assert expected(np.array([5000, 15000, 40000, 1]), 5, np.array([0, 1])) > 0.01  # one odd cent hides nothing
    assert expected(np.array([501713, 1500391, 4000127]), 5, np.array([0, 1])) < 0.01


def test_the_exact_step_is_capped():
    with pytest.raises(ValueError, match="12 at most"):
        subsets(np.arange(1, 14), 5, 6)
    assert sorted(hit.tolist() for hit in subsets(np.array([5, 7, 11, 13]), 18, 6)) == [[0, 3], [1, 2]]
    assert subsets(np.full(12, 1), 7, 6) == []  # seven members are too many


def test_ties_are_one_suggestion_and_nobody_is_confirmed():
    found = run(
        [item("p", 80, party="A"), item("q", 80, party="A")], [item("i", 80, party="A"), item("j", 80, party="A")]
    )
    assert groups_of(found) == set()
    assert groups_of(found, "suggested") == {(frozenset("pq"), frozenset("ij"))}


def test_a_named_invoice_is_not_exchanged_for_an_equal_one():
    """The payment names what is paid already: a duplicate, not a payment of another invoice of that amount."""
    left = [
        item("p", 120, party="A", text="INV-1001", date="2025-02-01"),
        item("q", 120, party="A", text="INV-1001", date="2025-02-05"),
    ]
    right = [
        item("i", 120, party="A", reference="INV-1001", date="2025-01-10"),
        item("j", 120, party="A", reference="INV-1777", date="2025-01-11"),
    ]
    found = run(left, right)
    assert groups_of(found) == {(frozenset("p"), frozenset("i"))}
    assert ("left", "F1", 12000) in reasons_of(found)


def test_business_days():
    left, right = [item("p", 55.55, party="A", date="2025-01-13")], [item("i", 55.55, party="A", date="2025-01-09")]
    for business, found in ((False, 0), (True, 1)):  # Thursday to Monday: four days, two of them working days
        window = {"before": 0, "after": 2, "business": business}
        assert len(groups_of(run(left, right, {"window": window}))) == found


def test_a_rate_between_two_currencies():
    rules = {"variance": {"fx": {"bp": 50, "rates": {"USD/EUR": 0.92}}}}
    left, right = item("p", "92.10", text="INV-1001"), item("i", "100.00", currency="USD", reference="INV-1001")
    found = run([left], [right], rules)
    assert groups_of(found) == {(frozenset("p"), frozenset("i"))}
    assert reasons_of(found) == {("match", "D4", 9210), ("match", "D4", -10000)}  # each currency adds up by itself
    assert groups_of(run([left], [right], {"variance": {"fx": {"bp": 5, "rates": {"USD/EUR": 0.92}}}})) == set()


def test_a_payers_code_explains():
    rules = {"variance": {"reasons": {"SP01": "C1"}}}
    found = run([item("p", 70, text="INV-1001", reason="SP01")], [item("i", 100, reference="INV-1001")], rules)
    assert reasons_of(found) == {("match", "C1", -3000)}


def test_a_pass_can_be_left_out():
    left, right = [item("p", 100, text="INV-1001")], [item("i", 100, reference="INV-1001")]
    assert groups_of(run(left, right, {"order": ["decisions", "links"]})) == set()
    assert [name for name, _ in run(left, right, {"off": ["keys"]}).confirmed] == ["scored"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": {"after": -1}},
        {"exact": {"items": 13}},
        {"ordre": ["keys"]},
        {"order": ["keys", "keys"]},
        {"variance": {"discounts": [{"percent": 0}]}},
        {"variance": {"fees": [{}]}},
        {"variance": {"reasons": {"a": "Z9"}}},
        {"left": {"columns": {"amount": "a", "debit": "b"}}},
        {"currency": "Euro"},
        {"tolerance": {"absolute": True}},
    ],
)
def test_wrong_rules_are_refused(wrong):
    with pytest.raises(ValidationError):
        Rules.model_validate(wrong)


# --- the invariants can fail ---


def broken(monkeypatch, fault):
    """A run in which the book forgets or invents something before the breaks are made."""
    real = engine.classify

    def classify(facts, book, confirmed, suggested):
        found = real(facts, book, confirmed, suggested)
        return fault(book, found) or found

    monkeypatch.setattr(engine, "classify", classify)
    left, right = [item("p", 90, text="INV-1001"), item("q", 5)], [item("i", 100, reference="INV-1001")]
    with pytest.raises(MatchError) as raised:
        run(left, right)
    return str(raised.value)


def test_an_item_in_two_matches_is_an_error(monkeypatch):
    assert "two confirmed" in broken(monkeypatch, lambda book, _: book.confirmed.append(book.confirmed[0]))


def test_a_lost_item_is_an_error(monkeypatch):
    from dataclasses import replace

    def lose(_, found):
        keep = found.side != "left"
        return replace(found, **{word: getattr(found, word)[keep] for word in vars(found)})

    assert "not in exactly one" in broken(monkeypatch, lose)


def test_a_gap_without_a_reason_is_an_error(monkeypatch):
    from dataclasses import replace

    assert "add up to" in broken(monkeypatch, lambda _, found: replace(found, amount=found.amount + 1))


def test_a_match_without_a_partner_is_an_error(monkeypatch):
    from tieout.matching.book import groups

    def alone(book, _):
        none = np.zeros(0, np.int64)
        book.confirmed.append(("keys", groups(none, none, none, none, 1)))

    assert "one side" in broken(monkeypatch, alone)


def test_a_name_on_another_partys_item_needs_a_rare_amount():
    """A whole name and the amount agree, the customer does not: believed where no other item has that amount."""
    left = [item("p", 99, party="Acme Works", text="INV-1001"), item("q", 7, party="Bolt Works")]
    right = [item("i", 99, party="Bolt Works", reference="INV-1001"), item("j", 3, party="Acme Works")]
    assert groups_of(run(left, right)) == {(frozenset("p"), frozenset("i"))}
    found = run(left, [*right, item("k", 99, party="Cord Works")])
    assert groups_of(found) == set() and groups_of(found, "suggested") == {(frozenset("p"), frozenset("i"))}
