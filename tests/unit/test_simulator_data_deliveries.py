"""Chains of an ERP that delivers before it bills: what is delivered, what the key says about it, what is in stock."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from simulator import stock
from simulator.clock import DAY, FIRST_DAY, LAST_DAY, end_of
from simulator.company import HORIZON, Company, advance, generate
from simulator.documents import BILLS, DELIVERIES
from simulator.key import Answers
from simulator.netsuite_rows import NetSuite

KINDS = frozenset({"Delivery", "Return", "ProForma"})


@pytest.fixture
def delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """NetSuite as if it kept deliveries: who renders them is no matter here."""
    monkeypatch.setattr(NetSuite, "kinds", KINDS, raising=False)
    monkeypatch.setattr(NetSuite, "document_number", staticmethod(lambda kind, number: f"{kind}{number}"))


@pytest.fixture
def company(delivers: None) -> Company:
    return Company(11, "1k", 2)


def chains(company: Company) -> list:
    return [company.chain(number) for number in range(company.history)]


def test_goods_of_an_invoice_are_delivered_before_it(company: Company) -> None:
    checked = 0
    for chain in chains(company):
        for bill in (doc for doc in chain.docs if doc.kind == "CustInvc" and doc.source and not doc.source.schedule):
            goods = [line for line in bill.lines if company.world.products[line.product].item_type == "InvtPart"]
            if goods and bill.delivery:
                assert bill.delivery.source is bill.source and bill.delivery.created < bill.created
                checked += 1
    assert checked > 300


def test_no_order_delivers_more_than_was_ordered(company: Company) -> None:
    for chain in chains(company):
        for order in (doc for doc in chain.docs if doc.kind == "SalesOrd" and not doc.earlier):
            moved: Counter[int] = Counter()
            for doc in chain.docs:
                if doc.kind in DELIVERIES and doc.source is order:
                    for line in doc.lines:
                        moved[line.source] += line.quantity if doc.kind == "Delivery" else -line.quantity
            ordered = {line.source: line.quantity for line in order.lines}
            assert all(quantity <= ordered[line] for line, quantity in moved.items()), chain.scenario


def test_the_key_adds_up_at_any_moment_and_tells_leakage(company: Company) -> None:
    found: Counter[str] = Counter()
    scenarios = defaultdict(set)
    for chain in chains(company):
        for day in (LAST_DAY - 400, LAST_DAY - 100, LAST_DAY):
            for entry in Answers(company.world, chain, end_of(day)).breaks:
                found[entry["reason"]] += 1
                scenarios[chain.scenario].add(entry["reason"])
    assert found["A3"] > 10 and found["H2"] > 0
    assert "A3" in scenarios["delivered_not_billed"] and "A2" not in scenarios["delivered_not_billed"]
    assert scenarios["delivered_in_part"] >= {"A2", "A3"}
    assert "A2" in scenarios["issue_reversed"]


def test_a_reversed_goods_issue_turns_leakage_into_backlog(company: Company) -> None:
    chain = next(c for c in chains(company) if c.scenario == "issue_reversed")
    delivery = next(doc for doc in chain.docs if doc.kind == "Delivery")

    def reasons(now: int) -> set[str]:
        return {e["reason"] for e in Answers(company.world, chain, now).breaks if e["hop"] == "order_invoice"}

    assert reasons(delivery.created + 60) == {"A3"}
    assert reasons(delivery.voided + 60) == {"A2"}


def test_an_erp_without_deliveries_is_told_none() -> None:
    company = Company(11, "1k", 2)
    kinds = {doc.kind for number in range(company.history) for doc in company.chain(number).docs}
    assert kinds & {*DELIVERIES, "ProForma"} == set() and {*BILLS, "SalesOrd"} <= kinds


def test_stock_is_opening_and_receipts_less_what_left(company: Company) -> None:
    world, now = company.world, end_of(LAST_DAY)
    found = [issue for chain in chains(company) for issue in stock.issues(world, chain, now, delivers=True)]
    assert {place for _, place, _, _ in found} == set(stock.places(world))
    last = max(day for _, _, day, _ in found if day % 7 != 4)  # nothing is received but on Mondays
    today, before = (
        {(level.product, level.place): level.units for level in stock.levels(world, found, day)}
        for day in (last, last - 1)
    )
    left: Counter[tuple[int, str]] = Counter()
    for product, place, day, units in found:
        if day == last:
            left[product, place] += units
    assert len(today) == len(stock.places(world)) * 32 and sum(left.values()) > 0
    assert {key: units for key, units in before.items() if units != today[key]}.keys() == {k for k in left if left[k]}
    assert all(today[key] == units - left[key] for key, units in before.items())
    assert stock.levels(world, found, FIRST_DAY - 1)[0].units == stock.OPENING


def test_an_erp_that_tells_its_stock_shows_the_day_that_it_is(delivers, monkeypatch, tmp_path) -> None:
    told = {}

    def on_hand(self, levels, now):
        told[now // DAY] = {(level.product, level.place): level.units for level in levels}
        return iter(())

    monkeypatch.setattr(NetSuite, "stock", on_hand, raising=False)
    monkeypatch.setattr(NetSuite, "chain", lambda self, chain, now: iter(()))  # it has no tables for deliveries
    generate(tmp_path, seed=11, level=2)
    advance(tmp_path, 3)
    world = Company(11, "1k", 2).world
    assert set(told) == {LAST_DAY, LAST_DAY + 3} and told[LAST_DAY] != told[LAST_DAY + 3]
    advanced = Company(11, "1k", 2)
    whole = [advanced.chain(number) for number in advanced.numbers(LAST_DAY + 3 + HORIZON)]
    now = end_of(LAST_DAY + 3)
    found = [issue for chain in whole for issue in stock.issues(world, chain, now, delivers=True)]
    expected = {(level.product, level.place): level.units for level in stock.levels(world, found, LAST_DAY + 3)}
    assert told[LAST_DAY + 3] == expected


def test_a_return_brings_goods_back_into_stock(company: Company) -> None:
    chain = next(c for c in chains(company) if c.scenario == "goods_returned")
    back = next(doc for doc in chain.docs if doc.kind == "Return")
    units = [u for _, _, day, u in stock.issues(company.world, chain, end_of(LAST_DAY), delivers=True)
             if day == back.created // DAY and u < 0]
    assert units and sum(units) < 0
