"""The same things at another amount or in another currency: classes C and D."""

from __future__ import annotations

from dataclasses import replace

from simulator.clock import DAY
from simulator.documents import QUANTITY, Line
from simulator.money import ENTITIES, inverse
from simulator.plan import Plan, other_rate, part, repriced, with_tax
from simulator.scenarios.registry import cheaper, scenario, won


@scenario(150)
def price_in_order(plan: Plan) -> None:
    deal, lines = won(plan)
    order = plan.order(deal, cheaper(plan, lines))
    plan.plant("deal_order", "C1", deal.net(0) - order.net(0), deal, order)
    plan.rest(deal, order)


@scenario(150)
def price_in_invoice(plan: Plan) -> None:
    deal, lines = won(plan)
    order = plan.order(deal)
    bill = plan.bill(order, cheaper(plan, lines))
    plan.plant("order_invoice", "C1", order.net(0) - bill.net(0), order, bill)
    plan.pay(bill)


@scenario(40)
def units_in_order(plan: Plan) -> None:
    deal, lines = won(plan, least=2, units=2)
    order = plan.order(deal, [part(lines[0], _other_units(plan, lines[0])), *lines[1:]])
    plan.plant("deal_order", "C2", deal.net(0) - order.net(0), deal, order)
    plan.rest(deal, order)


@scenario(40)
def units_in_invoice(plan: Plan) -> None:
    deal, lines = won(plan)
    order = plan.order(deal)
    bill = plan.bill(order, [part(lines[0], lines[0].quantity // QUANTITY + plan.days(1, 9)), *lines[1:]])
    plan.plant("order_invoice", "C2", order.net(0) - bill.net(0), order, bill)
    plan.pay(bill)


def _other_units(plan: Plan, line: Line) -> int:
    units = line.quantity // QUANTITY
    return units + plan.days(1, 9) if plan.ordinal % 2 else plan.days(1, units - 1)


@scenario(15, 3)
def scaled(plan: Plan) -> None:
    party = plan.party()
    ratio = (100, 1_000)[plan.ordinal] if plan.ordinal < 2 else plan.days(3, 4_000)
    deals, orders = [], []
    for number in range(3):
        lines = plan.lines(party, party.currency)
        told = [repriced(line, line.price * ratio) for line in lines]
        deals.append(plan.deal(party, told, closed_day=plan.day + number * plan.days(0, 9)))
        orders.append(plan.order(deals[-1], lines, link="external"))
        plan.rest(deals[-1], orders[-1])
    for deal, order in zip(deals, orders, strict=True):
        evidence = [record for record in (*deals, *orders) if record not in (deal, order)]
        plan.plant("deal_order", "C7", deal.net(0) - order.net(0), deal, order, evidence=evidence, alone="C1")


@scenario(25)
def tax_in_deal(plan: Plan) -> None:
    party = plan.party(plan.world.customers.taxed)
    lines = plan.lines(party, party.currency, single=True)
    deal = plan.deal(party, with_tax(lines, ENTITIES[party.entity].tax))
    order = plan.order(deal, lines)
    plan.plant("deal_order", "C3", deal.net(0) - order.net(0), deal, order)
    plan.rest(deal, order)


@scenario(25)
def tax_in_invoice(plan: Plan) -> None:
    party = plan.party(plan.world.customers.taxed)
    lines = plan.lines(party, party.currency, single=True)
    order = plan.order(plan.deal(party, lines))
    bill = plan.bill(order, with_tax(lines, ENTITIES[party.entity].tax), taxed=False)
    plan.plant("order_invoice", "C3", order.net(0) - bill.net(0), order, bill)
    plan.pay(bill)


@scenario(120)
def credited(plan: Plan) -> None:
    deal, lines = won(plan, least=2)
    bill = plan.bill(plan.order(deal))
    memo = plan.credit(bill, [part(lines[0], plan.days(1, lines[0].quantity // QUANTITY))])
    plan.plant("order_invoice", "C5", -memo.net(0), memo)
    plan.give_back(deal, memo)
    plan.pay(bill)


@scenario(30)
def refunded(plan: Plan) -> None:
    deal, lines = won(plan, least=2)
    sale = plan.bill(plan.order(deal), kind="CashSale")
    refund = plan.credit(sale, [part(lines[0], plan.days(1, lines[0].quantity // QUANTITY))], kind="CashRfnd")
    plan.plant("order_invoice", "C5", -refund.net(0), refund)
    plan.give_back(deal, refund)


@scenario(100)
def rounding(plan: Plan) -> None:
    deal, lines = won(plan, least=2)
    off, count = plan.draw.choice((-1, 1)), plan.days(1, 2)
    changed = [replace(line, amount=line.amount + off) if i < count else line for i, line in enumerate(lines)]
    if plan.ordinal % 2:
        order = plan.order(deal, changed)
        plan.plant("deal_order", "C6", -off * count, deal, order)
        plan.rest(deal, order)
    else:
        order = plan.order(deal)
        bill = plan.bill(order, changed)
        plan.plant("order_invoice", "C6", -off * count, order, bill)
        plan.pay(bill)


@scenario(20, takes="header")
def header_off(plan: Plan) -> None:
    deal, _ = won(plan)
    bill = plan.bill(plan.order(deal))
    bill.header_extra = max(20, bill.total(0) * plan.days(2, 9) // 100) * plan.draw.choice((-1, 1))
    plan.pay(bill)
    plan.plant("invoice_cash", "C8", -bill.header_extra, bill)  # the header is off before anybody pays it


@scenario(150)
def wrong_rate(plan: Plan) -> None:
    party = plan.party(plan.world.customers.foreign)
    deal = plan.deal(party, plan.lines(party, party.currency))
    bill = plan.bill(plan.order(deal))
    right = bill.functional_net(0, bill.rate)
    for back in range(plan.days(15, 30), 61):
        bill.rate = other_rate(plan.world, bill.base, bill.currency, bill.day, back)
        if bill.functional_net(0, bill.rate) != right:
            break
    plan.plant("invoice_ledger", "D1", right - bill.functional_net(0, bill.rate), bill)
    plan.pay(bill)


@scenario(25)
def inverted_rate(plan: Plan) -> None:
    party = plan.party(plan.world.customers.foreign)
    bill = plan.bill(plan.order(plan.deal(party, plan.lines(party, party.currency))))
    right = bill.functional_net(0, bill.rate)
    bill.rate = plan.world.rates.held(bill.base, bill.currency, inverse(bill.rate))
    plan.plant("invoice_ledger", "D2", right - bill.functional_net(0, bill.rate), bill)
    plan.pay(bill)


@scenario(20, takes="other currencies")
def other_currency(plan: Plan) -> None:
    codes = ("USD", "EUR", "GBP")
    party = plan.party([p for p in plan.world.customers.shared[:400] if p.currency in codes])
    deal = plan.deal(party, plan.lines(party, party.currency))
    wrong = plan.draw.choice([code for code in codes if code != party.currency])
    order = plan.order(deal, currency=wrong, link="external")
    plan.plant("deal_order", "D3", deal.net(0), deal, order)
    plan.rest(deal, order)


@scenario(60, needs="Adjustment")
def written_off(plan: Plan) -> None:
    deal, _ = won(plan)
    bill = plan.bill(plan.order(deal))
    rest = max(20, plan.open_amount(bill) * plan.days(1, 4) // 200)
    payment = plan.payment([(bill, plan.open_amount(bill) - rest)])
    adjustment = plan.adjust(bill, rest, day=payment.created // DAY + plan.days(1, 20))
    plan.plant("invoice_cash", "C1", rest, bill, adjustment)
