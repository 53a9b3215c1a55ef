"""Deals and orders as Dynamics 365 Sales keeps them in Dataverse: GUIDs, states, money with its twin in US dollars.

What is deleted is gone: only a tombstone, which change tracking reads, remembers it. `versionnumber` rises with each
write, also of a record whose stamps are older than its arrival. Some deals name a contact of the company as their
customer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from simulator import dataverse_schema, names
from simulator.clock import DAY, FIRST_DAY, date_text, end_of, stamp_text
from simulator.customers import Party, Record
from simulator.documents import Chain, CrmOrder, Deal, Doc, Line, gone, lines_at, midway
from simulator.money import CURRENCIES, RATE_SCALE, amount_text, decimal_text, rounded
from simulator.plan import LINE_BITS, World
from simulator.schema import Table

Values = tuple[str, dict[str, Any]]
_NAMES = UUID("6f1d3c1e-0000-4000-8000-5a1e5d4c0000")
_BEGIN = end_of(FIRST_DAY - 200)
BASE = "USD"
_TERMS = {2: 1, 3: 38, 4: 3}  # Net 30, a custom choice, Net 45


def guid(kind: str, number: int | str) -> str:
    """A record's id, which tells nothing."""
    return str(uuid5(_NAMES, f"{kind}/{number}"))


ORGANISATION, OWNER, UNIT = guid("organization", 1), guid("systemuser", 1), guid("uom", "Each")


class DynamicsSales:
    """The CRM's records of a company; see `systems.System`. Holds no state of its own."""

    system, role = "dynamics_sales", "crm"
    columns = dataverse_schema.columns()

    def __init__(self, world: World) -> None:
        self._world, self._products = world, world.products
        self._lines = world.slots["crm line"]

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """The tables that the environment has."""
        return dataverse_schema.tables()

    @staticmethod
    def account_id(number: int) -> str:
        """An account's GUID."""
        return guid("account", number)

    @staticmethod
    def deal_id(number: int) -> str:
        """An opportunity's GUID."""
        return guid("opportunity", number)

    @staticmethod
    def order_id(number: int) -> str:
        """An order's GUID."""
        return guid("salesorder", number)

    @staticmethod
    def contract_id(number: int) -> str:
        """A contract's GUID; contracts are not kept here."""
        return guid("contract", number)

    def key_id(self, record: Deal | Doc) -> str:
        """A deal is named by its GUID."""
        return str(record.id)

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of the organisation, currencies and products."""
        yield _row("organization", {"organizationid": ORGANISATION, "name": "Halden Technology", "languagecode": 1033,
                                    "_basecurrencyid_value": guid("transactioncurrency", BASE), **_audit(_BEGIN)})
        for currency in CURRENCIES.values():
            yield _row("transactioncurrency", {
                "transactioncurrencyid": guid("transactioncurrency", currency.code), "isocurrencycode": currency.code,
                "currencyname": currency.name, "currencysymbol": currency.sign, "currencyprecision": currency.decimals,
                "exchangerate": currency.corporate_rate, "statecode": 0, "statuscode": 1,
                "_organizationid_value": ORGANISATION, **_audit(_BEGIN)})
        for product in self._products:
            yield _row("product", {
                "productid": guid("product", product.code), "productnumber": product.code, "name": product.name,
                "productstructure": 1, "producttypecode": 1 if product.family == "Hardware" else 3,
                "isstockitem": int(product.family == "Hardware"), "hierarchypath": product.family,
                "_defaultuomid_value": UNIT, "statecode": 0, "statuscode": 1, "quantitydecimal": 5, **_audit(_BEGIN)})

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of a party's accounts."""
        for record in party.crm:
            yield _row("account", _account(party, record, now))

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of all CRM records of the chain that are seen at `now`; tombstones of those that are gone."""
        for deal in chain.deals:
            if not deal.seen(now):
                continue
            if gone(deal, now):
                yield from self._buried(deal)
                continue
            for values in self._deal(deal, now):
                yield _row(*values)
            if deal.order and deal.order.created < now:
                for values in self._order(chain, deal, deal.order, now):
                    yield _row(*values)

    def _buried(self, deal: Deal) -> Iterator[tuple[str, tuple]]:
        version = deal.deleted
        yield "dynamics_sales__tombstone", ("opportunity", deal.id, version)
        for number in range(0 if deal.header_only else len(deal.lines)):
            yield "dynamics_sales__tombstone", ("opportunityproduct", self._line_id("op", deal.slot, number), version)

    def _deal(self, deal: Deal, now: int) -> Iterator[Values]:
        state, status, moved, step = _stage(deal, now)
        changed = max(moved, _amended(deal, now))
        net, won = deal.net(now), state == 1
        is_contact = deal.slot % 19 == 7  # odd: slots of deals are mostly multiples of a power of two
        close = date_text(deal.closed // DAY)
        yield "opportunity", {
            "opportunityid": deal.id, "name": deal.name, **_money(deal, {
                "estimatedvalue": net, "actualvalue": net if won else None, "totalamount": net,
                "totallineitemamount": None if deal.header_only else net, "totaltax": 0, "freightamount": None,
                "totalamountlessfreight": net, "totaldiscountamount": 0}),
            "_customerid_value": guid("contact", deal.account.number) if is_contact else deal.account.id,
            dataverse_schema.HIDDEN: "contact" if is_contact else "account",
            "_parentaccountid_value": deal.account.id,
            "_parentcontactid_value": guid("contact", deal.account.number) if is_contact else None,
            "isrevenuesystemcalculated": int(not deal.header_only), "pricingerrorcode": 0,
            "statecode": state, "statuscode": status, "stepname": step, "closeprobability": 100 if won else 50,
            "estimatedclosedate": close, "actualclosedate": close if state else None,
            "new_sellingentity": deal.party.entity, **_audit(deal.created, changed, deal.late), **_owner()}
        if not deal.header_only:
            stamps = _audit(deal.created, max(deal.created, _amended(deal, now)), deal.late)
            for number, line in enumerate(lines_at(deal, now)):
                yield "opportunityproduct", {
                    "opportunityproductid": self._line_id("op", deal.slot, number), "_opportunityid_value": deal.id,
                    **self._line(deal, number, line), **stamps}

    def _order(self, chain: Chain, deal: Deal, order: CrmOrder, now: int) -> Iterator[Values]:
        synced = order.synced if order.synced and order.synced[0] < now else None
        changed = max(order.created, _amended(deal, now), synced[0] if synced else 0)
        net = deal.net(now)
        yield "salesorder", {
            "salesorderid": order.id, "ordernumber": order.number, "name": deal.name,
            "_customerid_value": deal.account.id, dataverse_schema.HIDDEN: "account", "_opportunityid_value": deal.id,
            "statecode": 1, "statuscode": 3, "submitdate": date_text(order.created // DAY),
            "paymenttermscode": _TERMS[deal.party.terms], "ispricelocked": 1, "pricingerrorcode": 0,
            "new_customerreference": order.reference,
            "new_erporderid": self._erp_order(chain, synced[1]) if synced else None,
            **_money(deal, {"totalamount": net, "totallineitemamount": net, "totaltax": 0, "totaldiscountamount": 0,
                            "totalamountlessfreight": net}),
            **_audit(order.created, changed, deal.late), **_owner()}
        stamps = _audit(order.created, max(order.created, _amended(deal, now)), deal.late)
        for number, line in enumerate(lines_at(deal, now)):
            yield "salesorderdetail", {
                "salesorderdetailid": self._line_id("so", order.slot, number), "_salesorderid_value": order.id,
                "salesorderstatecode": 1, **self._line(deal, number, line), **stamps}

    def _erp_order(self, chain: Chain, number: str | int) -> str:
        """The ERP's order as the ERP's own books name it."""
        return next((self._world.erp.key_id(doc) for doc in chain.docs if doc.id == number), str(number))

    def _line(self, deal: Deal, number: int, line: Line) -> dict[str, Any]:
        """Net is baseamount less manualdiscountamount; extendedamount has tax on top where tax is kept."""
        product = self._products[line.product]
        whole = max(line.list_price * line.quantity // 100_000, line.amount)
        return {
            "_productid_value": guid("product", product.code), "productname": product.name, "producttypecode": 1,
            "isproductoverridden": 0, "ispriceoverridden": 0, "quantity": decimal_text(line.quantity, 5),
            "lineitemnumber": number + 1, "sequencenumber": number + 1, "_uomid_value": UNIT, "pricingerrorcode": 0,
            **_money(deal, {"priceperunit": line.list_price, "baseamount": whole, "volumediscountamount": 0,
                            "manualdiscountamount": whole - line.amount, "tax": None, "extendedamount": line.amount}),
        }

    def _line_id(self, kind: str, slot: int, number: int) -> str:
        return guid(kind, self._lines((slot << LINE_BITS) + number))


@cache
def _columns(name: str) -> tuple[str, ...]:
    return DynamicsSales.columns[f"dynamics_sales__{name}"]


def _row(name: str, told: dict[str, Any]) -> tuple[str, tuple]:
    if strange := told.keys() - set(_columns(name)):
        raise KeyError(f"{name} has no {', '.join(sorted(strange))}")
    return f"dynamics_sales__{name}", tuple(told.get(column) for column in _columns(name))


def _account(party: Party, record: Record, now: int) -> dict[str, Any]:
    where, changed = record.address_at(now), record.changed(now)
    return {
        "accountid": record.id, "name": record.name, "accountnumber": f"A-{record.number:06d}",
        "customertypecode": 3 if party.erp else 8, "paymenttermscode": _TERMS[party.terms], "merged": 0,
        "address1_line1": where["street"], "address1_city": where["city"],
        "address1_stateorprovince": where["state"] or None, "address1_postalcode": where["zip"],
        "address1_country": names.COUNTRIES[where["country"]], "telephone1": f"+00 {record.number:07d}",
        "websiteurl": f"https://www.{record.domain}" if record.domain else None, "creditonhold": 0,
        "_transactioncurrencyid_value": guid("transactioncurrency", party.currency),
        "exchangerate": CURRENCIES[party.currency].corporate_rate, "statecode": 0, "statuscode": 1,
        "new_erpcustomerid": record.external, "new_taxid": record.tax_id, **_audit(record.created, changed), **_owner(),
    }


def _money(deal: Deal, amounts: dict[str, int | None]) -> dict[str, Any]:
    """Amounts with their twins in the base currency, at the record's own rate: units per 1 of the base."""
    currency = CURRENCIES[deal.currency]
    found: dict[str, Any] = {"_transactioncurrencyid_value": guid("transactioncurrency", deal.currency),
                             "exchangerate": currency.corporate_rate}
    whole, _, rest = currency.corporate_rate.partition(".")
    rate = int(whole + rest) * RATE_SCALE // 10 ** len(rest)
    for name, minor in amounts.items():
        if minor is not None:
            found[name] = amount_text(minor, currency.decimals)
            in_base = rounded(minor * RATE_SCALE * 100, rate * 10**currency.decimals)
            found[f"{name}_base"] = amount_text(in_base, 2)
    return found


def _audit(created: int, changed: int | None = None, late: int | None = None) -> dict[str, Any]:
    changed = max(created, changed or 0)
    return {"createdon": stamp_text(created), "modifiedon": stamp_text(changed),
            "versionnumber": max(changed, late or 0), "_createdby_value": OWNER, "_modifiedby_value": OWNER}


def _owner() -> dict[str, Any]:
    return {"_ownerid_value": OWNER, "_owningbusinessunit_value": guid("businessunit", 1)}


def _amended(deal: Deal, now: int) -> int:
    return deal.earlier[0] if deal.earlier and deal.earlier[0] < now else 0


def _stage(deal: Deal, now: int) -> tuple[int, int, int, str]:
    """(state, status reason, since when, step of the process)."""
    if deal.outcome != "open" and deal.closed < now:
        return (1, 3, deal.closed, "4-Close") if deal.outcome == "won" else (2, 5, deal.closed, "4-Close")
    if midway(deal) < now:
        return 0, 1, midway(deal), "3-Propose"
    return 0, 1, deal.created, "1-Qualify"
