"""One of each a day once the clock advances. `plan.day` is the day of the change."""

from __future__ import annotations

from simulator.clock import end_of
from simulator.documents import QUANTITY
from simulator.plan import Plan, part
from simulator.scenarios.registry import cheaper, scenario


@scenario(daily=True)
def paid_today(plan: Plan) -> None:
    party = plan.party()
    order = plan.order(plan.deal(party, plan.lines(party, party.currency), closed_day=plan.day - 40))
    bill = plan.bill(order, day=plan.day - plan.days(12, 30))
    plan.payment([(bill, plan.open_amount(bill))], day=plan.day)


@scenario(daily=True)
def amended(plan: Plan) -> None:
    change = plan.at(plan.day)
    party = plan.party()
    before = plan.lines(party, party.currency)
    after = [part(before[0], before[0].quantity // QUANTITY + plan.days(1, 5)), *before[1:]]
    deal = plan.deal(party, after, closed_day=plan.day - 6, earlier=(change, before))
    order = plan.order(deal, link="external", earlier=(change + 90, before))
    plan.pay(plan.bill(order, day=plan.day + 3))


@scenario(daily=True)
def repriced_order(plan: Plan) -> None:
    party = plan.party()
    before = plan.lines(party, party.currency)
    deal = plan.deal(party, before, closed_day=plan.day - 6)
    order = plan.order(deal, cheaper(plan, before), link="external", earlier=(plan.at(plan.day), before))
    plan.plant("deal_order", "C1", deal.net(0) - order.net(1 << 40), deal, order)
    plan.pay(plan.bill(order, day=plan.day + 4))


@scenario(0, 0, daily=True)
def withdrawn(plan: Plan) -> None:
    party = plan.party()
    plan.deal(party, plan.lines(party, party.currency), closed_day=plan.day - 2, deleted=plan.at(plan.day))


@scenario(daily=True)
def corrected(plan: Plan) -> None:
    party = plan.party()
    deal = plan.deal(party, plan.lines(party, party.currency), closed_day=plan.day - 12)
    order = plan.order(deal, link="external")
    bill = plan.bill(order, day=plan.day - 3)
    again = plan.bill(order, day=plan.day - 2, deleted=plan.at(plan.day))
    plan.plant("order_invoice", "F1", -again.net(0), again, bill)
    plan.pay(bill)


@scenario(daily=True)
def line_removed(plan: Plan) -> None:
    party = plan.party(plan.world.customers.erp_only)
    before = plan.lines(party, party.currency, least=3)
    plan.doc("SalesOrd", party, plan.day - 1, before[:-1], earlier=(plan.at(plan.day), before))


@scenario(0, 0, daily=True)
def late(plan: Plan) -> None:
    party, close = plan.party(), end_of(plan.day - 1)
    plan.deal(party, plan.lines(party, party.currency), outcome="open", closed_day=plan.day + 40, late=close + 1)
    plan.chain.deals[0].created = close - 360
    doc = plan.doc(
        "Estimate", party, plan.day - 1, plan.lines(party, party.currency), created=close - 2_400, late=close + 1
    )
    doc.due_day = plan.day + 30
    plan.plant("order_invoice", "H2", -doc.net(0), doc)
