"""Another period, twice, void, out of scope: classes B, F, G and H."""

from __future__ import annotations

from simulator.clock import next_month_start
from simulator.plan import Plan, posted_late, posted_next
from simulator.scenarios.registry import scenario, won


@scenario(500, takes="posting period")
def cut_off(plan: Plan) -> None:
    order = plan.order(won(plan)[0])
    day = next_month_start(order.day + 3) - plan.days(1, 3)
    posting_day, entered = posted_next(day, plan.days(0, 3))
    bill = plan.bill(order, day=day, posting_day=posting_day, created=plan.at(entered))
    plan.plant("invoice_ledger", "B1", bill.functional_net(0, bill.rate), bill)
    plan.pay(bill)


@scenario(40, takes="posting period")
def after_the_lock(plan: Plan) -> None:
    order = plan.order(won(plan)[0])
    day = next_month_start(order.day + 3) - plan.days(1, 20)
    posting_day, entered = posted_late(day)
    bill = plan.bill(order, day=max(day, order.day), posting_day=posting_day, created=plan.at(entered))
    plan.plant("invoice_ledger", "B2", bill.functional_net(0, bill.rate), bill)
    plan.pay(bill)


@scenario(20, takes="sisters")
def billed_by_sister(plan: Plan) -> None:
    order = plan.order(won(plan)[0])
    bill = plan.bill(order)
    bill.entity = plan.draw.choice([e for e in plan.world.unit.entities.values() if e is not order.entity])
    bill.rate = plan.world.rates.rate(bill.entity.currency, bill.currency, bill.day)
    bill.taxed = bill.taxed and bill.entity.tax > 0
    plan.plant("order_invoice", "E2", bill.net(0), bill, order)
    payment = plan.pay(bill)
    payment.entity = bill.entity
    payment.rate = plan.world.rates.rate(bill.entity.currency, payment.currency, payment.day)


@scenario(20)
def billed_to_another(plan: Plan) -> None:
    order = plan.order(won(plan)[0])
    bill = plan.bill(order)
    bill.party = plan.party([p for p in plan.world.customers.shared if p.name != order.party.name])
    bill.customer = plan.draw.choice(bill.party.erp)
    plan.plant("order_invoice", "E2", bill.net(0), bill, order)
    payment = plan.pay(bill)
    payment.party, payment.customer, payment.entity = bill.party, bill.customer, bill.entity
    payment.rate = plan.world.rates.rate(bill.entity.currency, payment.currency, payment.day)


@scenario(30)
def invoice_twice(plan: Plan) -> None:
    order = plan.order(won(plan)[0])
    bill = plan.bill(order)
    again = plan.bill(order, day=bill.day + plan.days(0, 6))
    again.created = max(again.created, bill.created + 600)
    plan.plant("order_invoice", "F1", -again.net(0), again, bill)
    plan.pay(bill)


@scenario(20, 2)
def order_twice(plan: Plan) -> None:
    deal, lines = won(plan)
    order = plan.order(deal, link="both")
    again = plan.doc("SalesOrd", order.party, order.day + plan.days(1, 5), lines, currency=order.currency, deal=deal)
    again.customer, again.reference = order.customer, order.reference
    again.created = max(again.created, order.created + 600)
    plan.plant("deal_order", "F1", -again.net(0), again, order)
    plan.rest(deal, order)


@scenario(15)
def order_cancelled(plan: Plan) -> None:
    deal, _ = won(plan)
    order = plan.order(deal)
    order.cancelled = order.created + plan.days(2, 12) * 86_400
    plan.plant("deal_order", "G1", deal.net(0), deal, order)


@scenario(15)
def invoice_voided(plan: Plan) -> None:
    order = plan.order(won(plan)[0])
    bill = plan.bill(order)
    bill.voided = bill.created + plan.days(1, 9) * 86_400
    plan.plant("order_invoice", "G1", order.net(0), order, bill)


@scenario(40, 0, takes="sisters")
def intercompany(plan: Plan) -> None:
    party = plan.party(plan.world.customers.intercompany)
    bill = plan.doc("CustInvc", party, plan.day, plan.lines(party, party.currency), taxed=False, intercompany=True)
    bill.due_day = plan.day + 60
    plan.plant("order_invoice", "H1", -bill.net(0), bill)


@scenario(40, 0)
def estimate(plan: Plan) -> None:
    party = plan.party()
    doc = plan.doc("Estimate", party, plan.day, plan.lines(party, party.currency))
    doc.due_day = plan.day + 30
    plan.plant("order_invoice", "H2", -doc.net(0), doc)


@scenario(40, needs="ProForma")
def pro_forma(plan: Plan) -> None:
    deal, _ = won(plan)
    order = plan.order(deal)
    doc = plan.doc(
        "ProForma", order.party, order.day, order.lines, currency=order.currency, source=order,
        reference=order.reference, created=order.created + 900,
    )
    doc.customer = order.customer
    plan.plant("order_invoice", "H2", -doc.net(0), doc)
    plan.rest(deal, order)


@scenario(20, takes="drafts")
def pending_invoice(plan: Plan) -> None:
    bill = plan.bill(plan.order(won(plan)[0]), approved=False)
    plan.plant("order_invoice", "H2", -bill.net(0), bill)


@scenario(20, needs="PaymentDraft")
def pending_payment(plan: Plan) -> None:
    bill = plan.bill(plan.order(won(plan)[0]))
    day = max(bill.due_day or 0, bill.created // 86_400 + 1)
    draft = plan.doc("PaymentDraft", bill.party, day, [], currency=bill.currency, amount=plan.open_amount(bill),
                     source=bill, taxed=False)
    draft.customer = bill.customer
    plan.plant("invoice_cash", "H2", -draft.amount, draft)
