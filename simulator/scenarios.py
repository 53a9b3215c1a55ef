"""What is planted, scenario by scenario: which records it makes, and what the key says about them.

Words: *deal* = won Salesforce Opportunity with line items; *copy* = its Salesforce Order (activated, same lines);
*order* = NetSuite SalesOrd made from it, linked by `externalid` = the copy's Id (65 %), by the copy's `ERP_Order_ID__c`
(10 %) or only by `otherrefnum` = the copy's OrderNumber, perhaps without leading zeros, with a dash or a blank (25 %);
*bill* = CustInvc or CashSale whose lines carry `createdfrom`; *payment* = CustPymt with links of type 'Payment'.
N = net, T = tax, G = gross, in the document's currency.

Whatever a chain has not reached yet is in the key as well, at every hop: a deal whose order is still to come is A1 +N;
an order, or the part of it that is not billed, is A2 (+rest), or B3 when it has a billing schedule; an invoice, or the
part of it that is not settled, is A10 when its due date is before the key's date, else B3 (+rest, gross). These follow
from the records (`key`), so a scenario names only what it plants.

Clean
  clean              deal, order, one invoice (5 % a cash sale, which settles itself), one payment. 2 % of the deals have an
                     Amount but no line items.
  payment_for_many   2–4 deals of one customer, each with order and invoice; one payment for all. 40 %: the last invoice is
                     paid in part, so it stays open (A10/B3).
  order_in_parts     an order billed by 2–3 invoices of whole units, each paid.
  instalments        an order with a billing schedule: 3–12 monthly invoices of equal parts (fractional quantities).
Value
  price_in_order     C1 deal_order: one line of the order 3–15 % below the deal's price. Billed and paid as ordered.
  price_in_invoice   C1 order_invoice: the same on the invoice. Paid as invoiced.
  tax_in_deal        C3 deal_order +T: the deal's prices (and the copy's) include tax; quantities 1.
  tax_in_invoice     C3 order_invoice −T: the invoice's item lines include tax and it has no tax line. Paid.
  credited           C5 order_invoice +N: a credit memo (createdfrom the invoice, applied to it); the rest is paid.
  refunded           C5 order_invoice +N: order → cash sale → cash refund (createdfrom the cash sale). Both settle themselves.
  rounding           C6: one or two lines one minor unit off, on the invoice (even ordinals) or on the order (odd).
  header_off         C8 invoice_cash: the invoice's header total (and mainline) is off its lines by d; the customer paid the
                     header. Key amount −d = lines − cash.
Currency
  wrong_rate         D1 invoice_ledger: posted at the rate of 15–60 days before. Amount = N at the day's rate − N as posted.
  other_currency     D3 deal_order: the order has the deal's figures under another code. Amount and currency of the deal;
                     the order's side of it, −N in the order's currency, is the same break.
Missing
  never_ordered      A1: deal with copy, no order.          won_only     A1: deal without copy.
  never_billed       A2: order, no bill.                    billed_in_part  A2: some units billed, the rest never.
  order_alone        A4 deal_order −N: an order of a customer that the CRM does not know, without any reference. Billed, paid.
  invoice_alone      A4 order_invoice −N: an invoice (or a cash sale) of such a customer, without order or reference. Paid.
  dangling_order     A9 deal_order −N: externalid is a Salesforce id of no record. Billed, paid.
  dangling_source    A9 order_invoice −N: createdfrom is an id of no transaction. Paid.
  dangling_reference A9 order_invoice −N: an invoice with an otherrefnum that nothing else carries. Paid.
  never_posted       A5 invoice_ledger +N functional: an approved, posting invoice without accounting lines. Paid.
  never_paid         A10 +G.
Cash
  overpaid           A7 −extra: 1–20 % more than the invoice, unapplied.
  paid_twice         A7 −G: a second, unapplied payment.    payment_alone  A7 −amount: a payment of no invoice.
  unapplied          A7 −G and A10/B3 +G: invoice and payment exist, nobody applied it.
Timing
  cut_off            B1 invoice_ledger: trandate in the last three days of a month, entered a week into the next and posted
                     there. Amount = the functional N that moved.
Twice, void
  invoice_twice      F1 order_invoice −N: a second invoice of the whole order within 7 days; it stays open (A10/B3).
  order_twice        F1 deal_order −N: a second order with the same reference within 7 days, no external id; never billed (A2).
  order_cancelled    G1 deal_order +N: the order has status C. It is in no other hop.
  invoice_voided     G1 order_invoice +N: the invoice is voided (amounts zero); nothing else about it anywhere.
Out of scope       (key entries of hop order_invoice; amount −N; what counts is that the document is scoped out)
  intercompany       H1: an invoice to a sister company, every line eliminate = T, intercompany revenue account.
  estimate           H2: an Estimate, non-posting.
  pending_invoice    H2: an invoice that awaits approval (status D, posting F). Its order is A2.
No books           pipeline: open and lost opportunities. journal: manual entries, expense against accruals.

Each day that `advance` adds brings ordinary chains, and one of each of these, which start some days before:
  paid_today         an open invoice is paid.
  amended            deal, copy and order get more units on the day.
  repriced_order     only the order gets a lower price: C1.
  withdrawn          a deal (A1) is soft-deleted.
  corrected          the second invoice (F1) is deleted: a row in deletedrecord.
  line_removed       an order of its own (A4) loses a line; only its header's stamp says so.
  late               an opportunity and an estimate become visible after the day before, with stamps of before its end.

Not planted yet: n:m, short pay and fees, wrong customer, transposed amount, sign flip, cancelled but billed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from simulator.clock import end_of, next_month_start
from simulator.documents import QUANTITY, Deal, Doc, Line
from simulator.ids import salesforce_id
from simulator.money import ENTITIES
from simulator.plan import Plan, other_rate, part, posted_late, repriced, share, with_tax

MINIMUM = 4


@dataclass(frozen=True)
class Scenario:
    """`weight` per 10,000; `orders` it makes on average; `daily`: one for each day that `advance` adds."""

    name: str
    play: Callable[[Plan], None]
    weight: int = 0
    orders: float = 1
    daily: bool = False


SCENARIOS: dict[str, Scenario] = {}


def scenario(weight: int = 0, orders: float = 1, *, daily: bool = False) -> Callable[[Callable], Callable]:
    """Register a function under its name."""
    def register(play: Callable[[Plan], None]) -> Callable[[Plan], None]:
        name = play.__name__
        SCENARIOS[name] = Scenario(name, play, weight, orders, daily)
        return play
    return register


def _start(plan: Plan, **choose: int | bool) -> tuple[Deal, list[Line]]:
    party = plan.party()
    lines = plan.lines(party, party.currency, **choose)  # type: ignore[arg-type]
    return plan.deal(party, lines), lines


# --- clean

@scenario(5_200)
def clean(plan: Plan) -> None:
    deal, _ = _start(plan)
    deal.header_only = plan.draw.random() < 0.02
    order = plan.order(deal)
    if plan.draw.random() < 0.05:
        plan.bill(order, kind="CashSale")
    else:
        plan.rest(deal, order)


@scenario(1_000, 3)
def payment_for_many(plan: Plan) -> None:
    party, bills = plan.party(), []
    for _ in range(plan.days(2, 4)):
        deal = plan.deal(party, plan.lines(party, party.currency), closed_day=plan.day + plan.days(0, 6))
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
    deal, lines = _start(plan, least=2, units=3)
    order = plan.order(deal)
    count, day = plan.days(2, 3), order.day
    cuts = [sorted(plan.days(0, line.quantity // QUANTITY) for _ in range(count - 1)) for line in lines]
    whole = lines[0].quantity // QUANTITY
    cuts[0] = [1, whole - 1][:count - 1] if count == 3 else [plan.days(1, whole - 1)]
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
    deal, lines = _start(plan, most=3)
    order = plan.order(deal, schedule=True)
    count, first = plan.days(3, 12), order.day + plan.days(1, 10)
    for number in range(1, count + 1):
        parts = [share(line, number, count) for line in lines]
        plan.pay(plan.bill(order, parts, day=first + (number - 1) * 30))


# --- value

@scenario(150)
def price_in_order(plan: Plan) -> None:
    deal, lines = _start(plan)
    order = plan.order(deal, _cheaper(plan, lines))
    plan.plant("deal_order", "C1", deal.net(0) - order.net(0), deal, order)
    plan.rest(deal, order)


@scenario(150)
def price_in_invoice(plan: Plan) -> None:
    deal, lines = _start(plan)
    order = plan.order(deal)
    bill = plan.bill(order, _cheaper(plan, lines))
    plan.plant("order_invoice", "C1", order.net(0) - bill.net(0), order, bill)
    plan.pay(bill)


def _cheaper(plan: Plan, lines: list[Line]) -> list[Line]:
    first = lines[0]
    cut = max(5, first.price * plan.days(3, 15) // 100)
    return [repriced(first, first.price - cut), *lines[1:]]


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
    deal, lines = _start(plan, least=2)
    bill = plan.bill(plan.order(deal))
    memo = plan.credit(bill, [part(lines[0], plan.days(1, lines[0].quantity // QUANTITY))])
    plan.plant("order_invoice", "C5", -memo.net(0), memo)
    plan.pay(bill)


@scenario(30)
def refunded(plan: Plan) -> None:
    deal, lines = _start(plan, least=2)
    sale = plan.bill(plan.order(deal), kind="CashSale")
    refund = plan.credit(sale, [part(lines[0], plan.days(1, lines[0].quantity // QUANTITY))], kind="CashRfnd")
    plan.plant("order_invoice", "C5", -refund.net(0), refund)


@scenario(100)
def rounding(plan: Plan) -> None:
    deal, lines = _start(plan, least=2)
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


@scenario(20)
def header_off(plan: Plan) -> None:
    deal, _ = _start(plan)
    bill = plan.bill(plan.order(deal))
    bill.header_extra = max(20, bill.total(0) * plan.days(2, 9) // 100) * plan.draw.choice((-1, 1))
    plan.plant("invoice_cash", "C8", -bill.header_extra, bill, plan.pay(bill))


# --- currency

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


@scenario(20)
def other_currency(plan: Plan) -> None:
    codes = ("USD", "EUR", "GBP")
    party = plan.party([p for p in plan.world.customers.shared[:400] if p.currency in codes])
    deal = plan.deal(party, plan.lines(party, party.currency))
    wrong = plan.draw.choice([code for code in codes if code != party.currency])
    order = plan.order(deal, currency=wrong, link="external")
    plan.plant("deal_order", "D3", deal.net(0), deal, order)
    plan.rest(deal, order)


# --- missing

@scenario(50, 0)
def never_ordered(plan: Plan) -> None:
    plan.crm_order(_start(plan)[0])


@scenario(30, 0)
def won_only(plan: Plan) -> None:
    _start(plan)


@scenario(70)
def never_billed(plan: Plan) -> None:
    plan.order(_start(plan)[0])


@scenario(40)
def billed_in_part(plan: Plan) -> None:
    deal, lines = _start(plan, least=2, units=2)
    units = plan.days(1, lines[0].quantity // QUANTITY - 1)
    plan.pay(plan.bill(plan.order(deal), [part(lines[0], units)]))


@scenario(40)
def order_alone(plan: Plan) -> None:
    _pay_alone(plan, _alone(plan, "SalesOrd"))


@scenario(30)
def invoice_alone(plan: Plan) -> None:
    if plan.ordinal % 2:
        _alone(plan, "CashSale")
    else:
        plan.pay(_alone(plan, "CustInvc"))


@scenario(20)
def dangling_order(plan: Plan) -> None:
    order = _alone(plan, "SalesOrd")
    order.external = salesforce_id("801", plan.world.slots["copy"](plan.slot()) + (1 << 40))
    _pay_alone(plan, order)


@scenario(15)
def dangling_source(plan: Plan) -> None:
    bill = _alone(plan, "CustInvc")
    bill.dangling = plan.erp_id(plan.slot())
    plan.pay(bill)


@scenario(15)
def dangling_reference(plan: Plan) -> None:
    bill = _alone(plan, "CustInvc")
    bill.reference = f"SO-{plan.draw.randrange(10**7, 10**8)}"
    plan.pay(bill)


def _alone(plan: Plan, kind: str) -> Doc:
    party = plan.party(plan.world.customers.erp_only)
    doc = plan.doc(kind, party, plan.day, plan.lines(party, party.currency))
    if kind == "CustInvc":
        doc.due_day = plan.day + party.terms_days
    return doc


def _pay_alone(plan: Plan, order: Doc) -> None:
    plan.pay(plan.bill(order))


@scenario(30)
def never_posted(plan: Plan) -> None:
    deal, _ = _start(plan)
    bill = plan.rest(deal, plan.order(deal))
    bill.posted = False
    plan.plant("invoice_ledger", "A5", bill.functional_net(0, bill.rate), bill)


@scenario(100)
def never_paid(plan: Plan) -> None:
    plan.bill(plan.order(_start(plan)[0]))


# --- cash

@scenario(100)
def overpaid(plan: Plan) -> None:
    bill = plan.bill(plan.order(_start(plan)[0]))
    total = plan.open_amount(bill)
    plan.payment([(bill, total)], extra=max(3, total * plan.days(1, 20) // 100))


@scenario(70)
def paid_twice(plan: Plan) -> None:
    bill = plan.bill(plan.order(_start(plan)[0]))
    first = plan.pay(bill)
    again = plan.payment([], extra=first.amount, party=bill.party, currency=bill.currency, day=first.day + plan.days(1, 6))
    again.customer = bill.customer


@scenario(70, 0)
def payment_alone(plan: Plan) -> None:
    party = plan.party()
    worth = sum(line.amount for line in plan.lines(party, party.currency))
    plan.payment([], extra=worth, party=party, day=plan.day)


@scenario(20)
def unapplied(plan: Plan) -> None:
    bill = plan.bill(plan.order(_start(plan)[0]))
    payment = plan.payment([], extra=plan.open_amount(bill), party=bill.party, currency=bill.currency,
                           day=max(bill.due_day or 0, bill.created // 86_400 + 1))
    payment.customer = bill.customer


# --- timing

@scenario(500)
def cut_off(plan: Plan) -> None:
    order = plan.order(_start(plan)[0])
    day = next_month_start(order.day + 3) - plan.days(1, 3)
    posting_day, entered = posted_late(day)
    bill = plan.bill(order, day=day, posting_day=posting_day, created=plan.at(entered))
    plan.plant("invoice_ledger", "B1", bill.functional_net(0, bill.rate), bill)
    plan.pay(bill)


# --- twice, void

@scenario(30)
def invoice_twice(plan: Plan) -> None:
    order = plan.order(_start(plan)[0])
    bill = plan.bill(order)
    again = plan.bill(order, day=bill.day + plan.days(0, 6))
    again.created = max(again.created, bill.created + 600)
    plan.plant("order_invoice", "F1", -again.net(0), again, bill)
    plan.pay(bill)


@scenario(20, 2)
def order_twice(plan: Plan) -> None:
    deal, lines = _start(plan)
    order = plan.order(deal, link="both")
    again = plan.doc("SalesOrd", order.party, order.day + plan.days(1, 5), lines, currency=order.currency, deal=deal)
    again.customer, again.reference = order.customer, order.reference
    again.created = max(again.created, order.created + 600)
    plan.plant("deal_order", "F1", -again.net(0), again, order)
    plan.rest(deal, order)


@scenario(15)
def order_cancelled(plan: Plan) -> None:
    deal, _ = _start(plan)
    order = plan.order(deal)
    order.cancelled = order.created + plan.days(2, 12) * 86_400
    plan.plant("deal_order", "G1", deal.net(0), deal, order)


@scenario(15)
def invoice_voided(plan: Plan) -> None:
    order = plan.order(_start(plan)[0])
    bill = plan.bill(order)
    bill.voided = bill.created + plan.days(1, 9) * 86_400
    plan.plant("order_invoice", "G1", order.net(0), order, bill)


# --- out of scope

@scenario(40, 0)
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


@scenario(20)
def pending_invoice(plan: Plan) -> None:
    bill = plan.bill(plan.order(_start(plan)[0]), approved=False)
    plan.plant("order_invoice", "H2", -bill.net(0), bill)


# --- no books

@scenario(1_200, 0)
def pipeline(plan: Plan) -> None:
    party = plan.party(plan.world.customers.known)
    outcome = plan.draw.choices(("lost", "open"), (70, 30))[0]
    closed = plan.day + (plan.days(60, 200) if outcome == "open" else 0)
    plan.deal(party, plan.lines(party, party.currency), outcome=outcome, closed_day=closed, open_days=plan.days(20, 150))


@scenario(60, 0)
def journal(plan: Plan) -> None:
    party = plan.party(plan.world.customers.erp_only)
    currency = ENTITIES[party.entity].currency
    plan.doc("Journal", party, plan.day, [], currency=currency, amount=plan.days(2_000, 900_000), taxed=False)


# --- one a day: `plan.day` is the day of the change

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
    order = plan.order(deal, _cheaper(plan, before), link="external", earlier=(plan.at(plan.day), before))
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
    doc = plan.doc("Estimate", party, plan.day - 1, plan.lines(party, party.currency), created=close - 2_400, late=close + 1)
    doc.due_day = plan.day + 30
    plan.plant("order_invoice", "H2", -doc.net(0), doc)
