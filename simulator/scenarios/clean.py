"""Nothing planted: what most of the books look like, and what is in no books at all."""

from __future__ import annotations

from simulator.documents import QUANTITY
from simulator.money import ENTITIES
from simulator.plan import Plan, part, share
from simulator.scenarios.registry import scenario, won


@scenario(5_200)
def clean(plan: Plan) -> None:
    deal, _ = won(plan)
    deal.header_only = plan.draw.random() < 0.02
    order = plan.order(deal)
    if plan.draw.random() < 0.05:
        plan.bill(order, kind="CashSale")
    else:
        plan.rest(deal, order)


@scenario(1_000, 3)
def payment_for_many(plan: Plan) -> None:
    party, bills = plan.party(), []
    lines, repeats = plan.lines(party, party.currency), plan.draw.random() < 0.3
    for _ in range(plan.days(2, 4)):
        lines = lines if repeats else plan.lines(party, party.currency)
        deal = plan.deal(party, lines, closed_day=plan.day + plan.days(0, 6))
        order = plan.order(deal)
        order.customer = bills[0].customer if bills else order.customer  # a payment settles one customer's invoices
        bills.append(plan.bill(order))
    settles = [(bill, plan.open_amount(bill)) for bill in bills]
    if plan.draw.random() < 0.4:
        bill, amount = settles.pop()
        settles.append((bill, max(1, amount * plan.days(20, 80) // 100)))
    plan.payment(settles)


@scenario(800)
def order_in_parts(plan: Plan) -> None:
    deal, lines = won(plan, least=2, units=3)
    order = plan.order(deal)
    count, day = plan.days(2, 3), order.day
    cuts = [sorted(plan.days(0, line.quantity // QUANTITY) for _ in range(count - 1)) for line in lines]
    whole = lines[0].quantity // QUANTITY
    cuts[0] = [1, whole - 1][: count - 1] if count == 3 else [plan.days(1, whole - 1)]
    for number in range(count):
        pieces = []
        for line, cut in zip(lines, cuts, strict=True):
            edges = [0, *cut, line.quantity // QUANTITY]
            if units := edges[number + 1] - edges[number]:
                pieces.append(part(line, units))
        day += plan.days(2, 15)
        plan.pay(plan.bill(order, pieces, day=day))


@scenario(800)
def instalments(plan: Plan) -> None:
    deal, lines = won(plan, most=3)
    order = plan.order(deal, schedule=True)
    count, first = plan.days(3, 12), order.day + plan.days(1, 10)
    for number in range(1, count + 1):
        parts = [share(line, number, count) for line in lines]
        plan.pay(plan.bill(order, parts, day=first + (number - 1) * 30))


@scenario(1_200, 0)
def pipeline(plan: Plan) -> None:
    party = plan.party(plan.world.customers.known)
    outcome = plan.draw.choices(("lost", "open"), (70, 30))[0]
    closed = plan.day + (plan.days(60, 200) if outcome == "open" else 0)
    plan.deal(
        party, plan.lines(party, party.currency), outcome=outcome, closed_day=closed, open_days=plan.days(20, 150)
    )


@scenario(60, 0)
def journal(plan: Plan) -> None:
    party = plan.party(plan.world.customers.erp_only)
    currency = ENTITIES[party.entity].currency
    plan.doc("Journal", party, plan.day, [], currency=currency, amount=plan.days(2_000, 900_000), taxed=False)
