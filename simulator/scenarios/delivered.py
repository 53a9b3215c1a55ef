"""Goods leave the house, and come back: for ERPs that keep deliveries."""

from __future__ import annotations

from simulator.documents import QUANTITY, Doc, Line
from simulator.plan import Plan, part
from simulator.scenarios.registry import scenario


def ordered(plan: Plan, units: int = 1) -> tuple[Doc, list[Line]]:
    """An order of goods alone, `units` of the first at least; and its lines."""
    party = plan.party()
    lines: list[Line] = []
    while not lines:
        lines = [line for line in plan.lines(party, party.currency, least=3, units=units) if plan.is_goods(line)]
    first = part(lines[0], max(units, lines[0].quantity // QUANTITY))
    lines = [first, *lines[1:]]
    return plan.order(plan.deal(party, lines)), lines


@scenario(60, needs="Delivery")
def delivered_not_billed(plan: Plan) -> None:
    plan.deliver(ordered(plan)[0])


@scenario(40, needs="Delivery")
def delivered_in_part(plan: Plan) -> None:
    order, lines = ordered(plan, units=3)
    billed = plan.bill(order, [part(lines[0], 1)])
    plan.deliver(order, [part(lines[0], 1), *lines[1:]], day=billed.day + plan.days(1, 9))
    plan.pay(billed)


@scenario(20, needs="Delivery")
def issue_reversed(plan: Plan) -> None:
    delivery = plan.deliver(ordered(plan)[0])
    delivery.voided = delivery.created + plan.days(1, 9) * 86_400


@scenario(30, needs="Return")
def goods_returned(plan: Plan) -> None:
    order, lines = ordered(plan)
    bill = plan.bill(order)
    back = [part(lines[0], plan.days(1, lines[0].quantity // QUANTITY))]
    memo = plan.credit(bill, back)
    plan.take_back(bill.delivery or order, back, day=memo.day)
    plan.plant("order_invoice", "C5", -memo.net(0), memo)
    plan.pay(bill)
