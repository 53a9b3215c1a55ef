"""Shipping, and what shops give back of an order: for CRMs that are shops."""

from __future__ import annotations

from simulator.documents import QUANTITY, Deal, Doc, Line, Refund
from simulator.plan import Plan, part
from simulator.scenarios.registry import scenario, won


def shipped_deal(plan: Plan, *, closed_day: int | None = None) -> tuple[Deal, list[Line]]:
    """A deal with shipping, and its lines; shipping is the last of them."""
    party = plan.party()
    lines = plan.lines(party, party.currency)
    lines.append(plan.freight(lines, party.currency))
    return plan.deal(party, lines, closed_day=closed_day), lines


def credit(plan: Plan, deal: Deal, bill: Doc, lines: list[Line], *, day: int | None = None) -> None:
    """Lines come back: the shop gives the money back, the books credit the bill."""
    memo = plan.credit(bill, lines, day=day)
    plan.plant("order_invoice", "C5", -memo.net(0), memo)
    plan.give_back(deal, memo)


@scenario(600, needs="Shipping")
def shipped(plan: Plan) -> None:
    deal, _ = shipped_deal(plan)
    plan.rest(deal, plan.order(deal))


@scenario(30, needs="Shipping")
def shipping_left_out(plan: Plan) -> None:
    deal, lines = shipped_deal(plan)
    order = plan.order(deal, lines[:-1])
    plan.plant("deal_order", "C4", lines[-1].amount, deal, order)
    plan.rest(deal, order)


@scenario(30, needs="Shipping")
def shipping_billed(plan: Plan) -> None:
    deal, lines = won(plan)
    order = plan.order(deal)
    bill = plan.bill(order, [*lines, plan.freight(lines, deal.currency)])
    plan.plant("order_invoice", "C4", order.net(0) - bill.net(0), order, bill)
    plan.pay(bill)


@scenario(60, needs="Shipping")
def shipping_refunded(plan: Plan) -> None:
    deal, lines = shipped_deal(plan)
    bill = plan.bill(plan.order(deal))
    goods = [part(lines[0], plan.days(1, lines[0].quantity // QUANTITY))] if plan.ordinal % 2 else []
    credit(plan, deal, bill, [*goods, lines[-1]])
    plan.pay(bill)


@scenario(60, needs="Shipping")
def goodwill(plan: Plan) -> None:
    deal, _ = shipped_deal(plan)
    order = plan.order(deal)
    bill = plan.rest(deal, order)
    deal.refunds.append(Refund(bill.created + 3_600, [], max(5, bill.total(0) * plan.days(2, 15) // 100)))


@scenario(needs="Shipping", daily=True)
def sent_back(plan: Plan) -> None:
    deal, lines = shipped_deal(plan, closed_day=plan.day - 14)
    bill = plan.bill(plan.order(deal, link="external"), day=plan.day - 5)
    credit(plan, deal, bill, [part(lines[0], 1), lines[-1]], day=plan.day)
