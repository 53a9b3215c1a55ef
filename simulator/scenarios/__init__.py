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
  clean              deal, order, one invoice (5 % a cash sale, which settles itself), one payment. 2 % of the deals
                     have an Amount but no line items.
  payment_for_many   2–4 deals of one customer, each with order and invoice; one payment for all. 40 %: the last
                     invoice is paid in part, so it stays open (A10/B3). 30 %: the same order again and again within
                     a week, under references of its own each time: none is a duplicate.
  order_in_parts     an order billed by 2–3 invoices of whole units, each paid.
  instalments        an order with a billing schedule: 3–12 monthly invoices of equal parts (fractional quantities).
Value
  price_in_order     C1 deal_order: one line of the order 3–15 % below the deal's price. Billed and paid as ordered.
  price_in_invoice   C1 order_invoice: the same on the invoice. Paid as invoiced.
  tax_in_deal        C3 deal_order +T: the deal's prices (and the copy's) include tax; quantities 1.
  tax_in_invoice     C3 order_invoice −T: the invoice's item lines include tax and it has no tax line. Paid.
  credited           C5 order_invoice +N: a credit memo (createdfrom the invoice, applied to it); the rest is paid.
  refunded           C5 order_invoice +N: order → cash sale → cash refund (createdfrom the cash sale). Both settle
                     themselves.
  rounding           C6: one or two lines one minor unit off, on the invoice (even ordinals) or on the order (odd).
  units_in_order     C2 deal_order: the order has more or fewer units of one product than the deal, at the same price.
  units_in_invoice   C2 order_invoice: the invoice has more units than the order. Paid as invoiced.
  scaled             C7 deal_order, 3 deals each: the deals' prices are 100, 1,000 or any other whole multiple of the
                     orders'. A multiple that the three share is known only when all three are there: before, C1.
  header_off         C8 invoice_cash: the invoice's header total (and mainline) is off its lines by d; the customer
                     paid the header. Key amount −d = lines − cash.
  written_off        C1 invoice_cash +rest: the customer paid a little less, and somebody adjusted the rest away (where
                     the ERP has adjustments). Until then the rest is open (A10/B3).
Currency
  wrong_rate         D1 invoice_ledger: posted at the rate of 15–60 days before. Amount = N at the day's rate − N as
                     posted.
  inverted_rate      D2 invoice_ledger: posted at 1 / rate. Amount = N at the day's rate − N as posted.
  other_currency     D3 deal_order: the order has the deal's figures under another code. Amount and currency of the
                     deal; the order's side of it, −N in the order's currency, is the same break.
Missing
  never_ordered      A1: deal with copy, no order.
  won_only           A1: deal without copy.
  never_billed       A2: order, no bill.
  billed_in_part     A2: some units billed and paid, the rest never.
  order_alone        A4 deal_order −N: an order of a customer that the CRM does not know, without any reference.
                     Billed, paid.
  invoice_alone      A4 order_invoice −N: an invoice (or a cash sale) of such a customer, without order or reference.
                     Paid.
  dangling_order     A9 deal_order −N: externalid is a Salesforce id of no record. Billed, paid.
  dangling_source    A9 order_invoice −N: createdfrom is an id of no transaction. Paid.
  dangling_reference A9 order_invoice −N: an invoice with an otherrefnum that nothing else carries. Paid.
  never_posted       A5 invoice_ledger +N functional: an approved, posting invoice without accounting lines. Paid.
  never_paid         A10 +G.
Cash
  overpaid           A7 −extra: 1–20 % more than the invoice, unapplied.
  paid_twice         A7 −G: a second, unapplied payment.
  payment_alone      A7 −amount: a payment of no invoice.
  unapplied          A7 −G and A10/B3 +G: invoice and payment exist, nobody applied it.
Timing
  cut_off            B1 invoice_ledger: trandate in the last three days of a month, entered in the first days of the
                     next and posted there, while its own month is open. Amount = the functional N that moved.
  after_the_lock     B2 invoice_ledger: entered when its month had been locked, posted to the next.
Parties
  billed_by_sister   E2 order_invoice, +N that moved: another legal entity than the order's wrote the invoice. Paid.
  billed_to_another  E2 order_invoice, +N that moved: invoiced to another customer than ordered, and paid by that one.
Deliveries           where the ERP has them: goods of a bill are delivered before it, and an order shows A3 for what
                     left the house and is not billed yet
  delivered_not_billed  A3: delivered, no bill.
  delivered_in_part  A3 and A2: some units are billed and paid, some delivered, some neither.
  issue_reversed     A2: the goods issue is reversed after some days; until then A3.
  goods_returned     C5 order_invoice +N: a return and a credit memo for what came back.
Shops                where the CRM is one: what is given back of an order is a booking taken back on its own day, and no
                     difference of deal and order; the key's `refunds` name each. `credited` and `refunded` are given
                     back there, too
  shipped            an order with shipping, which the books have as a line of its own. Billed, paid.
  shipping_left_out  C4 deal_order +N: the ERP's order lacks the shipping. Billed and paid as ordered.
  shipping_billed    C4 order_invoice −N: the invoice has shipping that nobody ordered. Paid.
  shipping_refunded  C5 order_invoice +N: a credit memo for the shipping alone (even ordinals), or with goods.
  goodwill           a part of the amount is given back, and no goods; the books are not told.
Twice, void
  invoice_twice      F1 order_invoice −N: a second invoice of the whole order within 7 days; it stays open (A10/B3).
  order_twice        F1 deal_order −N: a second order with the same reference within 7 days, no external id; never
                     billed (A2).
  order_cancelled    G1 deal_order +N: the order has status C. It is in no other hop.
  invoice_voided     G1 order_invoice +N: the invoice is voided (amounts zero); nothing else about it anywhere.
Out of scope       (key entries of hop order_invoice; amount −N; what counts is that the document is scoped out; a
                   payment's are of hop invoice_cash, −amount)
  intercompany       H1: an invoice to a sister company, every line eliminate = T, intercompany revenue account.
  estimate           H2: an Estimate, non-posting.
  pro_forma          H2: a pro forma invoice of an order that is then billed (where the ERP has such).
  pending_invoice    H2: an invoice that awaits approval (status D, posting F). Its order is A2.
  pending_payment    H2: a payment that was keyed and is not posted (where the ERP has such). Its invoice is A10/B3.
No books           pipeline: open and lost opportunities. journal: manual entries, expense against accruals.

Each day that `advance` adds brings ordinary chains, and one of each of these, which start some days before:
  paid_today         an open invoice is paid.
  amended            deal, copy and order get more units on the day.
  repriced_order     only the order gets a lower price: C1.
  withdrawn          a deal (A1) is soft-deleted.
  corrected          the second invoice (F1) is deleted: a row in deletedrecord.
  line_removed       an order of its own (A4) loses a line; only its header's stamp says so.
  late               an opportunity and an estimate become visible after the day before, with stamps of before its end.
  sent_back          C5 order_invoice +N: a shop gives back goods and shipping on the day, and the books credit them.

Not planted yet: n:m, fees, wrong customer, transposed amount, sign flip, cancelled but billed.
"""

from simulator.scenarios import clean, daily, delivered, missing, other, shop, value
from simulator.scenarios.registry import MINIMUM, SCENARIOS, Scenario, told_by

__all__ = [
    "MINIMUM", "SCENARIOS", "Scenario", "clean", "daily", "delivered", "missing", "other", "shop", "told_by", "value",
]
