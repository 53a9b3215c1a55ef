"""Deals as Salesforce keeps them: Opportunity, OpportunityLineItem, Contract, Order, OrderItem.

Opportunity.Amount is the sum of its line items' TotalPrice; without line items it stands alone. A deal changes its
stage once before it closes, each change with its own SystemModstamp. A soft-deleted deal takes its lines with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator import salesforce_master
from simulator.catalog import Product
from simulator.clock import DAY, date_text, month_of, stamp_text
from simulator.customers import Party
from simulator.documents import Chain, CrmOrder, Deal, Doc, Line, gone, lines_at, midway
from simulator.ids import salesforce_id
from simulator.money import CURRENCIES, amount_text, decimal_text
from simulator.plan import LINE_BITS, World
from simulator.salesforce_master import OWNERS, account_rows
from simulator.schema import Table, names_in, of_system

AUDIT = names_in("""
    CreatedDate CreatedById LastModifiedDate LastModifiedById SystemModstamp IsDeleted
""")
DEAL_COLUMNS = (
    names_in("""
    Id Name AccountId OwnerId ContractId Type StageName ForecastCategory ForecastCategoryName CurrencyIsoCode
    Selling_Entity__c Amount ExpectedRevenue Probability IsClosed IsWon HasOpportunityLineItem CloseDate Fiscal
    FiscalYear FiscalQuarter LastStageChangeDate
""")
    + AUDIT
)
DEAL_LINE_COLUMNS = (
    names_in("""
    Id OpportunityId Product2Id ProductCode Name CurrencyIsoCode Quantity UnitPrice ListPrice Discount Subtotal
    TotalPrice ServiceDate SortOrder
""")
    + AUDIT
)
CONTRACT_COLUMNS = (
    names_in("""
    Id ContractNumber AccountId OwnerId Status StatusCode ContractTerm StartDate EndDate ActivatedDate
    SourceOpportunityId
""")
    + AUDIT
)
ORDER_COLUMNS = (
    names_in("""
    Id OrderNumber AccountId OwnerId OpportunityId ContractId Status StatusCode Type PoNumber CurrencyIsoCode
    ERP_Order_ID__c TotalAmount IsReductionOrder EffectiveDate ActivatedDate
""")
    + AUDIT
)
ORDER_LINE_COLUMNS = (
    names_in("""
    Id OrderItemNumber OrderId Product2Id CurrencyIsoCode Quantity UnitPrice ListPrice TotalPrice ServiceDate
""")
    + AUDIT
)
_STAGES = {  # name: probability, forecast category, its name
    "Prospecting": ("10", "Pipeline", "Pipeline"),
    "Proposal/Price Quote": ("75", "BestCase", "Best Case"),
    "Closed Won": ("100", "Closed", "Closed"),
    "Closed Lost": ("0", "Omitted", "Omitted"),
}


class Salesforce:
    """The CRM's records of a company; see `systems.System`."""

    system, role = "salesforce", "crm"
    columns = salesforce_master.COLUMNS | {
        "salesforce__Opportunity": DEAL_COLUMNS,
        "salesforce__OpportunityLineItem": DEAL_LINE_COLUMNS,
        "salesforce__Contract": CONTRACT_COLUMNS,
        "salesforce__Order": ORDER_COLUMNS,
        "salesforce__OrderItem": ORDER_LINE_COLUMNS,
    }

    def __init__(self, world: World) -> None:
        self._world = world
        self._products: tuple[Product, ...] = world.products
        self._lines, self._numbers = world.slots["crm line"], world.slots["number"]

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """The objects that the organisation has."""
        return of_system("salesforce")

    @staticmethod
    def account_id(number: int) -> str:
        """An Account's id."""
        return salesforce_id("001", number)

    @staticmethod
    def deal_id(number: int) -> str:
        """An Opportunity's id."""
        return salesforce_id("006", number)

    @staticmethod
    def order_id(number: int) -> str:
        """An Order's id."""
        return salesforce_id("801", number)

    @staticmethod
    def contract_id(number: int) -> str:
        """A Contract's id."""
        return salesforce_id("800", number)

    def key_id(self, record: Deal | Doc) -> str:
        """A deal is named by its id."""
        return str(record.id)

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of the lists, rates, products and users."""
        return salesforce_master.rows(self._world, now)

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of a party's accounts."""
        return account_rows(party, now)

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of all CRM records of the chain that are seen at `now`."""
        for deal in chain.deals:
            if not deal.seen(now):
                continue
            yield from self._deal(deal, now)
            if deal.order and deal.order.created < now:
                yield from self._order(deal, deal.order, now)

    def _deal(self, deal: Deal, now: int) -> Iterator[tuple[str, tuple]]:
        stage, moved = _stage(deal, now)
        deleted = gone(deal, now)
        changed = deal.deleted if deleted else max(moved, _amended(deal, now))
        audit = self._audit(deal, deal.created, changed, deleted)  # type: ignore[arg-type]
        probability, forecast, forecast_name = _STAGES[stage]
        decimals, net = CURRENCIES[deal.currency].decimals, deal.net(now)
        close_day = deal.closed // DAY
        year, month = month_of(close_day)
        won = stage == "Closed Won"
        yield (
            "salesforce__Opportunity",
            (
                deal.id,
                deal.name,
                deal.account.id,
                _owner(deal),
                deal.contract if won else None,
                "New Customer",
                stage,
                forecast,
                forecast_name,
                deal.currency,
                deal.party.entity,
                amount_text(net, decimals),
                decimal_text(net * int(probability), decimals + 2),
                probability,
                int(stage.startswith("Closed")),
                int(won),
                int(not deal.header_only),
                date_text(close_day),
                f"{year} {(month + 2) // 3}",
                year,
                (month + 2) // 3,
                stamp_text(moved),
                *audit,
            ),
        )
        if not deal.header_only:
            lines_changed = deal.deleted if deleted else max(deal.created, _amended(deal, now))
            audit = self._audit(deal, deal.created, lines_changed, deleted)  # type: ignore[arg-type]
            for number, line in enumerate(lines_at(deal, now)):
                yield "salesforce__OpportunityLineItem", self._deal_line(deal, number, line, decimals, audit)
        if deal.contract and won:
            audit = self._audit(deal, deal.closed, deal.closed, False)
            yield (
                "salesforce__Contract",
                (
                    deal.contract,
                    f"{self._numbers(deal.slot) + 1:08d}",
                    deal.account.id,
                    _owner(deal),
                    "Activated",
                    "Activated",
                    12,
                    date_text(close_day),
                    date_text(close_day + 364),
                    stamp_text(deal.closed),
                    deal.id,
                    *audit,
                ),
            )

    def _deal_line(self, deal: Deal, number: int, line: Line, decimals: int, audit: tuple) -> tuple:
        product = self._products[line.product]
        unit = line.list_price
        return (
            self._line_id("00k", deal.slot, number),
            deal.id,
            product.id,
            product.code,
            f"{deal.name} {product.name}",
            deal.currency,
            decimal_text(line.quantity, 5),
            amount_text(unit, decimals),
            amount_text(unit, decimals),
            str(line.discount) if line.discount else None,
            amount_text(unit * line.quantity // 100_000, decimals),
            amount_text(line.amount, decimals),
            None,
            number + 1,
            *audit,
        )

    def _order(self, deal: Deal, order: CrmOrder, now: int) -> Iterator[tuple[str, tuple]]:
        synced = order.synced if order.synced and order.synced[0] < now else None
        amended = _amended(deal, now)
        audit = self._audit(deal, order.created, max(order.created, amended, synced[0] if synced else 0), False)
        decimals, day = CURRENCIES[deal.currency].decimals, date_text(order.created // DAY)
        yield (
            "salesforce__Order",
            (
                order.id,
                order.number,
                deal.account.id,
                _owner(deal),
                deal.id,
                deal.contract,
                "Activated",
                "Activated",
                "New",
                order.reference,
                deal.currency,
                str(synced[1]) if synced else None,
                amount_text(deal.net(now), decimals),
                0,
                day,
                stamp_text(order.created),
                *audit,
            ),
        )
        audit = self._audit(deal, order.created, max(order.created, amended), False)
        for number, line in enumerate(lines_at(deal, now)):
            yield (
                "salesforce__OrderItem",
                (
                    self._line_id("802", order.slot, number),
                    f"{self._numbers(order.slot) % 10**6:06d}{number:02d}",
                    order.id,
                    self._products[line.product].id,
                    deal.currency,
                    decimal_text(line.quantity, 5),
                    amount_text(line.price, decimals),
                    amount_text(line.list_price, decimals),
                    amount_text(line.amount, decimals),
                    day,
                    *audit,
                ),
            )

    def _line_id(self, prefix: str, slot: int, number: int) -> str:
        return salesforce_id(prefix, self._lines((slot << LINE_BITS) + number))

    def _audit(self, deal: Deal, created: int, changed: int, deleted: bool) -> tuple:
        text, owner = stamp_text(changed), _owner(deal)
        return stamp_text(created), owner, text, owner, text, int(deleted)


def _owner(deal: Deal) -> str:
    return OWNERS[deal.slot % len(OWNERS)]


def _amended(deal: Deal, now: int) -> int:
    return deal.earlier[0] if deal.earlier and deal.earlier[0] < now else 0


def _stage(deal: Deal, now: int) -> tuple[str, int]:
    if deal.outcome != "open" and deal.closed < now:
        return ("Closed Won" if deal.outcome == "won" else "Closed Lost"), deal.closed
    if midway(deal) < now:
        return "Proposal/Price Quote", midway(deal)
    return "Prospecting", deal.created
