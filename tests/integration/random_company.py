"""A company of a few dozen records that a random generator changes, landed as landing would: to compare builds.

Ids, references and names are drawn from small pools, so that documents collide: links and references come and go,
groups merge and split, customers find another identity, documents arrive after those that name them.
Amounts are arbitrary; nothing here reconciles, which is the point.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from tieout.matching import crossrefs
from tieout.warehouse import connect

TIEOUT_YML = """
version: 1
group: {currency: USD}
connections:
  crm_one: {system: salesforce, auth: jwt_bearer, time_zone: UTC, currency: USD, legal_entity: "1",
            options: {login_url: "https://one.my.salesforce.com"}}
  crm_two: {system: salesforce, auth: jwt_bearer, time_zone: UTC, currency: EUR, legal_entity: "2",
            options: {login_url: "https://two.my.salesforce.com"}}
  erp_one: {system: netsuite, auth: tba, time_zone: UTC, currency: USD, legal_entity: "1", options: {account: "1"}}
  erp_two: {system: netsuite, auth: tba, time_zone: UTC, currency: USD, legal_entity: "1", options: {account: "2"}}
  crm_three: {system: salesforce, auth: jwt_bearer, time_zone: UTC, unit: south, currency: USD, legal_entity: "1",
              options: {login_url: "https://three.my.salesforce.com"}}
  erp_three: {system: netsuite, auth: tba, time_zone: UTC, unit: south, currency: USD, legal_entity: "1",
              options: {account: "3"}}
"""
CRMS, ERPS = ("crm_one", "crm_two", "crm_three"), ("erp_one", "erp_two", "erp_three")
# (base, transaction) currencies that an ERP quotes: all of them the euro, each at its own rate. The second takes its
# pound from the first, the third crosses from euro to pound.
QUOTED = {"erp_one": (("1", "2"), ("1", "3"), ("3", "2")), "erp_two": (("1", "2"),),
          "erp_three": (("1", "2"), ("3", "1"))}
FIRST_DAY = date(2026, 3, 1)
NAMES = ("Acme", "Acme Inc", "Globex", "Initech", "Umbrella")
POSTING = {"SalesOrd": False, "CustInvc": True, "CustCred": True, "CustPymt": True, "CashSale": True, "RtnAuth": False,
           "ItemShip": False, "Journal": True}
STATUS = {"SalesOrd": "F", "CustInvc": "A", "CustCred": "A", "CustPymt": "C", "CashSale": "B", "RtnAuth": "F",
          "ItemShip": "C", "Journal": "A"}
Key = tuple[str, str]  # connection, key
Row = dict[str, Any]


@dataclass
class World:
    """What the vendors hold now, {table: {(connection, key): row}}, and what was landed of it."""

    dice: Random
    tables: dict[str, dict[Key, Row]] = field(default_factory=dict)
    landed: dict[str, dict[Key, Row]] = field(default_factory=dict)
    drawn: int = 0

    def put(self, table: str, connection: str, key: str, **row: Any) -> None:
        self.tables.setdefault(table, {})[connection, key] = row

    def drop(self, table: str, connection: str, key: str) -> None:
        self.tables[table].pop((connection, key), None)

    def rows(self, table: str) -> dict[Key, Row]:
        return self.tables.setdefault(table, {})

    def number(self) -> str:
        """Ids are unique within a connection at most: one in four is drawn again for another one."""
        self.drawn += 1
        return str(self.drawn if self.dice.random() < 0.75 else self.drawn - 1 if self.drawn % 2 else self.drawn)


def begin(seed: int) -> World:
    """Master data and some twenty documents of every kind."""
    world = World(Random(seed))
    for erp in ERPS:
        for number, symbol in (("1", "USD"), ("2", "EUR"), ("3", "GBP")):
            world.put("netsuite__currency", erp, number, id=number, symbol=symbol, isbasecurrency=number == "1")
            world.put("netsuite__subsidiary", erp, number, id=number, name=f"Unit {number}", currency=number)
        for number, kind in (("1", "AcctRec"), ("2", "Income"), ("3", "Bank"), ("4", "DeferRevenue")):
            world.put("netsuite__account", erp, number, id=number, acctnumber=number, accttype=kind)
        for month in range(1, 13):
            period(world, erp, month, closed=month < 5)
        for day in range(0, 150, 30):
            for pair in QUOTED[erp]:
                rate(world, erp, FIRST_DAY + timedelta(day - 60), pair)
        for item in ("1", "2", "3"):
            world.put("netsuite__item", erp, item, id=item, itemid=f"SKU{item}", itemtype="Service")
    for crm in CRMS:
        for item in ("1", "2", "3"):
            world.put("salesforce__product2", crm, item, id=item, name=item, productcode=f"SKU{item}", isactive=True)
    for number in range(1, 5):
        for connection in (*CRMS, *ERPS):
            customer(world, connection, str(number))
    for _ in range(14):
        for make in (deal, crm_order, *[transaction] * 4):
            make(world)
    for _ in range(12):
        link(world)
    for _ in range(4):
        shipment(world)
    return world


def period(world: World, erp: str, month: int, *, closed: bool) -> None:
    world.put("netsuite__accountingperiod", erp, str(month), id=str(month), periodname=str(month), closed=closed,
              arlocked=closed, alllocked=closed, startdate=date(2026, month, 1), isquarter=False, isyear=False,
              closedondate=f"{date(2026, month, 1) + timedelta(35)} 12:00Z" if closed else None)


def rate(world: World, erp: str, day: date, pair: tuple[str, str]) -> None:
    base, other = pair
    world.put("netsuite__currencyrate", erp, f"{day}|{base}|{other}", id=f"{day}|{base}|{other}", basecurrency=base,
              transactioncurrency=other, effectivedate=day, exchangerate=world.dice.choice((1.1, 1.2, 1.25)))


def customer(world: World, connection: str, number: str) -> None:
    name = world.dice.choice(NAMES)
    other = world.dice.choice((None, None, str(world.dice.randint(1, 4))))
    if connection in CRMS:
        world.put("salesforce__account", connection, number, id=number, name=name, billingcountrycode="US",
                  erp_customer_id=other, website=f"{name[:4]}.example", ispersonaccount=False)
    else:
        world.put("netsuite__customer", connection, number, id=number, companyname=name, externalid=other,
                  url=f"{name[:4]}.example", isperson=False)


def some(world: World, table: str, **wanted: Any) -> Key | None:
    """A random record with these values; None where there is none."""
    found = sorted(key for key, row in world.rows(table).items() if all(row.get(k) == v for k, v in wanted.items()))
    return world.dice.choice(found) if found else None


def _day(world: World) -> date:
    return FIRST_DAY + timedelta(world.dice.randint(0, 130))


def deal(world: World, key: Key | None = None) -> None:
    connection, number = key or (world.dice.choice(CRMS), world.number())
    world.put("salesforce__opportunity", connection, number, id=number, name=f"Deal {number}",
              accountid=str(world.dice.randint(1, 4)), currencyisocode=world.dice.choice(("USD", "USD", "EUR")),
              selling_entity=world.dice.choice(("1", "2", "3")), amount=world.dice.randint(1, 5) * 100,
              iswon=world.dice.random() < 0.85, closedate=_day(world), stagename="x")
    if world.dice.random() < 0.5:
        world.put("salesforce__opportunitylineitem", connection, f"{number}-1", id=f"{number}-1", opportunityid=number,
                  product2id=world.dice.choice("123"), quantity=1, totalprice=world.dice.randint(1, 5) * 100)


def crm_order(world: World, key: Key | None = None) -> None:
    connection, number = key or (world.dice.choice(CRMS), world.number())
    origin = some(world, "salesforce__opportunity")
    same = some(world, "netsuite__transaction", type="SalesOrd")
    world.put("salesforce__order", connection, number, id=number, ordernumber=f"C{number}",
              accountid=str(world.dice.randint(1, 4)), opportunityid=origin[1] if origin else None,
              statuscode="Activated", ponumber=_reference(world), currencyisocode="USD", totalamount=100,
              effectivedate=_day(world), erp_order_id=same[1] if same and world.dice.random() < 0.5 else None)
    world.put("salesforce__orderitem", connection, f"{number}-1", id=f"{number}-1", orderid=number, product2id="1",
              quantity=1, totalprice=100)


def _reference(world: World) -> str | None:
    pool: list[str | None] = [None, None, f"PO-{world.dice.randint(1, 40)}"]
    for table, word in (("netsuite__transaction", "SO"), ("salesforce__order", "C")):
        found = some(world, table)
        pool.append(f"{word}{found[1]}" if found else None)
    return world.dice.choice(pool)


def transaction(world: World, key: Key | None = None) -> None:
    """A document of NetSuite with its lines and its ledger; with `key`, another version of it."""
    dice = world.dice
    before = world.rows("netsuite__transaction").get(key) if key else None
    connection, number = key or (dice.choice(ERPS), world.number())
    kind = before["type"] if before and dice.random() < 0.95 else dice.choice(
        ("SalesOrd", "SalesOrd", "CustInvc", "CustInvc", "CustInvc", "CustPymt", "CustPymt", "CustCred", "CashSale",
         "RtnAuth", "ItemShip", "ItemShip", "Journal"))
    named = some(world, dice.choice(("salesforce__order", "salesforce__opportunity")))
    day, amount = _day(world), dice.randint(1, 5) * 100
    world.put("netsuite__transaction", connection, number, id=number, tranid=f"SO{number}", type=kind,
              status=STATUS[kind], approvalstatus=dice.choice(("2", "2", "2", "1")), entity=str(dice.randint(1, 4)),
              currency=dice.choice(("1", "1", "2", "3")), postingperiod=str(day.month + dice.choice((0, 0, 0, 1))),
              createddate=f"{day + timedelta(dice.choice((0, 3, 40)))} 09:00Z", otherrefnum=_reference(world),
              externalid=named[1] if named and kind == "SalesOrd" and dice.random() < 0.4 else None, exchangerate=1.2,
              foreigntotal=amount, posting=POSTING[kind], voided=dice.random() < 0.05, trandate=day,
              duedate=day + timedelta(dice.choice((0, 14, 30))))
    is_refund = kind == "CustPymt" and dice.random() < 0.2
    sign = 1 if kind in ("CustInvc", "CashSale", "SalesOrd", "CustPymt") and not is_refund else -1
    scale = dice.choice((1, 1, 1, 5, 25))  # now and then the same multiple in several documents
    made_from = some(world, "netsuite__transaction", type="SalesOrd" if dice.random() < 0.7 else "CustInvc")
    if made_from and (
            kind not in ("CustInvc", "CustCred", "CashSale", "RtnAuth", "ItemShip") or dice.random() < 0.4):
        made_from = None
    for line in (0, 1):
        world.put("netsuite__transactionline", connection, f"{number}-{line}", uniquekey=f"{number}-{line}",
                  transaction=number, id=str(line), item="123"[int(number) % 3] if line else None,
                  itemtype="Service" if line else None, subsidiary=dice.choice(("1", "1", "2", "3")), quantity=-line,
                  foreignamount=amount * scale * sign * (-1 if line else 1), mainline=not line, taxline=False,
                  iscogs=False, eliminate=dice.random() < 0.03,
                  createdfrom=made_from[1] if made_from and line else None)
        if POSTING[kind] and dice.random() < 0.9:
            account = ("1" if kind != "CustPymt" else "3") if not line else ("2" if kind != "CustPymt" else "1")
            world.put("netsuite__transactionaccountingline", connection, f"1|{number}|{line}", accountingbook="1",
                      transaction=number, transactionline=str(line), account=account, posting=True,
                      amount=amount * scale * sign * (-1 if line else 1) * (dice.choice((1, 1, 1.2))))


def shipment(world: World) -> None:
    """Some units of an order leave the house; or are only packed, or leave for an order that has not landed yet."""
    order = some(world, "netsuite__transaction", type="SalesOrd")
    if order is None:
        return
    connection, number = order[0], world.number()
    made_from = order[1] if world.dice.random() < 0.9 else world.number()
    world.put("netsuite__transaction", connection, number, id=number, tranid=f"IF{number}", type="ItemShip",
              status=world.dice.choice("CCCA"), entity=str(world.dice.randint(1, 4)), currency="1", posting=False,
              voided=world.dice.random() < 0.1, trandate=_day(world))
    world.put("netsuite__transactionline", connection, f"{number}-1", uniquekey=f"{number}-1", transaction=number,
              id="1", item="123"[int(order[1]) % 3], itemtype="Service", subsidiary="1",
              quantity=-world.dice.randint(1, 2), foreignamount=0, mainline=False, taxline=False, iscogs=False,
              createdfrom=made_from)


def link(world: World) -> None:
    """Something follows from something: an invoice from an order, a payment or a credit from an invoice."""
    before, after, word = world.dice.choice((
        ("SalesOrd", "CustInvc", "OrdBill"), ("CustInvc", "CustPymt", "Payment"), ("CustInvc", "CustPymt", "Payment"),
        ("CustInvc", "CustCred", "Payment"), ("CustInvc", "RtnAuth", "RtnAuth"), ("RtnAuth", "CustCred", "SaleRet")))
    for _ in range(5):
        source = some(world, "netsuite__transaction", type=before)
        target = some(world, "netsuite__transaction", type=after)
        if source and target and source[0] == target[0]:
            key = f"{source[1]}|{target[1]}|{word}"
            world.put("netsuite__nexttransactionlink", source[0], key, previousdoc=source[1], nextdoc=target[1],
                      previoustype=before, nexttype=after, linktype=word,
                      foreignamount=world.dice.randint(1, 5) * 50, nextdate=_day(world))
            return


def decide(world: World) -> None:
    """A person says of two documents that they belong together, that they do not, or takes that back."""
    cash = _payable(world)
    hop, before, after = world.dice.choice((
        ("deal_order", some(world, "salesforce__opportunity"), some(world, "netsuite__transaction", type="SalesOrd")),
        ("order_invoice", some(world, "netsuite__transaction", type="SalesOrd"),
         some(world, "netsuite__transaction", type="CustInvc")),
        ("invoice_cash", *cash), ("invoice_cash", *cash), ("invoice_cash", *cash)))
    if before and after:
        verdict = world.dice.choice(("SAME", "SAME", "NOT SAME", "REVOKED"))
        applied = (50 * world.dice.randint(1, 5), "USD") if (hop, verdict) == ("invoice_cash", "SAME") else (None, None)
        with connect("loader") as books:
            books.execute(
                "insert into ops.identity_decision (entity, verdict, connection_a, record_id_a, connection_b,"
                " record_id_b, decided_by, reason, amount, currency_code)"
                " values (%s, %s, %s, %s, %s, %s, 'dice', 'chance', %s, %s)",
                (hop, verdict, *min(before, after), *max(before, after), *applied))


def _payable(world: World) -> tuple[Key | None, Key | None]:
    """An invoice and a payment, most often of one ERP, currency and entity, and of which something was said before."""
    with connect("loader") as books:
        said = set(books.execute(
            "select connection_a, record_id_a from ops.identity_decision where entity = 'invoice_cash' union"
            " select connection_b, record_id_b from ops.identity_decision where entity = 'invoice_cash'"))  # fmt: skip
    rows, lines = world.rows("netsuite__transaction"), world.rows("netsuite__transactionline")

    def place(key: Key) -> tuple[str, str, str]:
        return key[0], rows[key]["currency"], lines[key[0], f"{key[1]}-1"]["subsidiary"]

    one = some(world, "netsuite__transaction", type="CustInvc"), some(world, "netsuite__transaction", type="CustPymt")
    fit = [(a, b) for a in sorted(rows) if rows[a]["type"] == "CustInvc"
           for b in sorted(rows) if rows[b]["type"] == "CustPymt" and place(a) == place(b)]  # fmt: skip
    again = [pair for pair in fit if said & set(pair)]
    if fit and world.dice.random() < 0.9:
        one = world.dice.choice(again if again and world.dice.random() < 0.6 else fit)
    return one


def crossref(world: World) -> None:
    """The company's table of what references mean gets an entry, another one, or loses one."""
    with connect("loader") as books:
        table = {(one.hop, one.business_unit, crossrefs.token(one.reference)): one for one in crossrefs.now(books)}
        if table and world.dice.random() < 0.3:
            table.pop(world.dice.choice(sorted(table, key=str)))
        elif entry := _entry(world):
            table[entry.hop, entry.business_unit, crossrefs.token(entry.reference)] = entry
        crossrefs.replace(books, table.values(), "dice")


def _entry(world: World) -> crossrefs.Entry | None:
    """What some document says means the number of another, or nothing that is there."""
    hop, table, word, kind, writes = world.dice.choice((
        ("deal_order", "salesforce__order", "C", {}, ("SalesOrd",)),
        ("order_invoice", "netsuite__transaction", "SO", {"type": "SalesOrd"}, ("CustInvc", "CustCred", "CashSale"))))
    written = sorted(row["otherrefnum"] for row in world.rows("netsuite__transaction").values()
                     if row.get("otherrefnum") and row["type"] in writes)
    found = some(world, table, **kind)
    means = f"{word}{found[1]}" if found and world.dice.random() < 0.8 else _reference(world)
    if not written or not means:
        return None
    days = [None if world.dice.random() < 0.75 else _day(world) for _ in range(2)]
    first, last = sorted(days) if None not in days else days
    unit, reference = world.dice.choice((None, None, "south")), world.dice.choice(written)
    return crossrefs.Entry(hop, unit, reference, means, first, last)


CHILDREN = {"netsuite__transaction": (("netsuite__transactionline", "transaction"),
                                      ("netsuite__transactionaccountingline", "transaction")),
            "salesforce__opportunity": (("salesforce__opportunitylineitem", "opportunityid"),),
            "salesforce__order": (("salesforce__orderitem", "orderid"),)}


def remove(world: World) -> None:
    """A document or a link goes. Lines go with their header; links stay until somebody removes them."""
    table = world.dice.choice((*CHILDREN, "netsuite__nexttransactionlink"))
    key = some(world, table)
    if key is None:
        return
    remove_document(world, table, key)


def remove_document(world: World, table: str, key: Key) -> None:
    """A record goes, with its lines."""
    world.drop(table, *key)
    for child, column in CHILDREN.get(table, ()):
        for found in [k for k, row in world.rows(child).items() if k[0] == key[0] and row[column] == key[1]]:
            world.drop(child, *found)


def change(world: World, count: int) -> list[str]:
    """Some random changes; returns what they were, to print beside a seed."""
    told = []
    for _ in range(count):
        what = world.dice.choice(
            ("new", "edit", "edit", "edit", "link", "link", "remove", "customer", "rate", "line", "period", "ship",
             "decide", "decide", "crossref", "crossref"))
        told.append(what)
        if what == "new":
            world.dice.choice((deal, crm_order, transaction, transaction))(world)
        elif what == "edit":
            table, make = world.dice.choice((
                ("netsuite__transaction", transaction), ("netsuite__transaction", transaction),
                ("salesforce__opportunity", deal), ("salesforce__order", crm_order)))
            if key := some(world, table):
                make(world, key)
        elif what == "link":
            link(world)
        elif what == "remove":
            remove(world)
        elif what == "decide":
            decide(world)
        elif what == "crossref":
            crossref(world)
        elif what == "customer":
            customer(world, world.dice.choice((*CRMS, *ERPS)), str(world.dice.randint(1, 4)))
        elif what == "ship":
            shipment(world)
        elif what == "period":
            period(world, world.dice.choice(ERPS), world.dice.randint(3, 6), closed=world.dice.random() < 0.5)
        elif what == "rate":
            erp = world.dice.choice(ERPS)
            rate(world, erp, _day(world), world.dice.choice(QUOTED[erp]))
        elif key := some(world, "netsuite__transactionline", mainline=False):
            world.rows("netsuite__transactionline")[key] = {
                **world.rows("netsuite__transactionline")[key], "item": world.dice.choice("123"),
                "foreignamount": -world.dice.randint(1, 5) * 100}
    return told


def land(world: World, batch: int) -> int:
    """Bring what is new into raw as this batch: versions are closed and appended. Returns how many records changed."""
    changed = 0
    with connect("owner") as books:
        for table, rows in world.tables.items():
            before = world.landed.get(table, {})
            gone = before.keys() - rows.keys()
            fresh = {key: row for key, row in rows.items() if before.get(key) != row}
            for connection, key in [*gone, *(key for key in fresh if key in before)]:
                books.execute(f"update raw.{table} set _superseded_batch = %s where _superseded_batch is null"
                              " and _connection = %s and _key = %s", (batch, connection, key))
            for (connection, key), row in fresh.items():
                _insert(books, table, {**row, **_ours(connection, key, row, batch)})
            for connection, key in gone:
                if table in CHILDREN:  # the feed of deletions tells headers only
                    _insert(books, table, {**before[connection, key],
                                           **_ours(connection, key, {}, batch), "_is_deleted": True})
            changed += len(gone) + len(fresh)
            world.landed[table] = dict(rows)
    return changed


def _ours(connection: str, key: str, row: Row, batch: int) -> Row:
    return {"_connection": connection, "_key": key, "_is_deleted": False, "_batch_id": batch,
            "_row_hash": zlib.crc32(json.dumps(row, default=str, sort_keys=True).encode())}


def _insert(books: Any, table: str, row: Row) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    books.execute(f"insert into raw.{table} ({names}) values ({', '.join(['%s'] * len(row))})", list(row.values()))
