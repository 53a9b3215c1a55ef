"""One side is not there, or money is not where it belongs: class A."""

from __future__ import annotations

from simulator.documents import QUANTITY
from simulator.plan import Plan, part
from simulator.scenarios.registry import alone, scenario, won


@scenario(50, 0)
def never_ordered(plan: Plan) -> None:
    plan.crm_order(won(plan)[0])


@scenario(30, 0)
def won_only(plan: Plan) -> None:
    won(plan)


@scenario(70)
def never_billed(plan: Plan) -> None:
    plan.order(won(plan)[0])


@scenario(40)
def billed_in_part(plan: Plan) -> None:
    deal, lines = won(plan, least=2, units=2)
    units = plan.days(1, lines[0].quantity // QUANTITY - 1)
    plan.pay(plan.bill(plan.order(deal), [part(lines[0], units)]))


@scenario(40)
def orderalone(plan: Plan) -> None:
    plan.pay(plan.bill(alone(plan, "SalesOrd")))


@scenario(30)
def invoicealone(plan: Plan) -> None:
    if plan.ordinal % 2:
        alone(plan, "CashSale")
    else:
        plan.pay(alone(plan, "CustInvc"))


@scenario(20)
def dangling_order(plan: Plan) -> None:
    order = alone(plan, "SalesOrd")
    order.external = plan.crm.order_id(plan.world.slots["copy"](plan.slot()) + (1 << 40))
    plan.pay(plan.bill(order))


@scenario(15)
def dangling_source(plan: Plan) -> None:
    bill = alone(plan, "CustInvc")
    bill.dangling = plan.erp_id("SalesOrd", plan.slot())
    plan.pay(bill)


@scenario(15)
def dangling_reference(plan: Plan) -> None:
    bill = alone(plan, "CustInvc")
    bill.reference = f"SO-{plan.draw.randrange(5 * 10**7, 10**8)}"
    plan.pay(bill)


@scenario(30, takes="unposted")
def never_posted(plan: Plan) -> None:
    deal, _ = won(plan)
    bill = plan.rest(deal, plan.order(deal))
    bill.posted = False
    plan.plant("invoice_ledger", "A5", bill.functional_net(0, bill.rate), bill)


@scenario(100)
def never_paid(plan: Plan) -> None:
    plan.bill(plan.order(won(plan)[0]))


@scenario(100)
def overpaid(plan: Plan) -> None:
    bill = plan.bill(plan.order(won(plan)[0]))
    total = plan.open_amount(bill)
    plan.payment([(bill, total)], extra=max(3, total * plan.days(1, 20) // 100))


@scenario(70)
def paid_twice(plan: Plan) -> None:
    bill = plan.bill(plan.order(won(plan)[0]))
    first = plan.pay(bill)
    again = plan.payment(
        [], extra=first.amount, party=bill.party, currency=bill.currency, day=first.day + plan.days(1, 6)
    )
    again.customer = bill.customer


@scenario(70, 0)
def paymentalone(plan: Plan) -> None:
    party = plan.party()
    worth = sum(line.amount for line in plan.lines(party, party.currency))
    plan.payment([], extra=worth, party=party, day=plan.day)


@scenario(20)
def unapplied(plan: Plan) -> None:
    bill = plan.bill(plan.order(won(plan)[0]))
    payment = plan.payment(
        [],
        extra=plan.open_amount(bill),
        party=bill.party,
        currency=bill.currency,
        day=max(bill.due_day or 0, bill.created // 86_400 + 1),
    )
    payment.customer = bill.customer
