"""The proprietary CRM of the retail unit: customers, articles, deals and orders with their lines, in its own words.

It keeps a won deal's day in `won_on`, marks what was deleted with `X` in `gone`, and gives a line's net after discount.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.clock import DAY, date_text, stamp_text
from simulator.customers import Party
from simulator.documents import Chain, CrmOrder, Deal, Doc, gone, lines_at
from simulator.money import CURRENCIES, amount_text, decimal_text
from simulator.plan import World
from simulator.schema import Table, parsed

_TABLES = """
customer | customer_no | | customer_no:text name:text tax_id:text street:text city:text state:text zip:text
 country:text web:text erp_no:text is_group:text changed_at:stamp
article | article_no | | article_no:text code:text name:text family:text
deal | deal_no | customer_no | deal_no:text title:text customer_no:text entity:text currency:text net:amount stage:text
 won_on:date gone:text changed_at:stamp
deal_line | deal_no,line_no | | deal_no:text line_no:integer article_no:text quantity:amount net:amount
sales_order | order_no | deal_no | order_no:text display_no:text customer_no:text deal_no:text po_no:text erp_no:text
 entity:text currency:text net:amount ordered_on:date changed_at:stamp
sales_order_line | order_no,line_no | | order_no:text line_no:integer article_no:text quantity:amount net:amount
"""


class OwnCrm:
    """The CRM's records of a company; see `systems.System`."""

    system, role = "generic", "crm"
    columns = {table.sql_name: table.columns for table in parsed("generic", _TABLES)}

    def __init__(self, world: World) -> None:
        self._world = world

    @staticmethod
    def tables() -> tuple[Table, ...]:
        """What the CRM keeps."""
        return tuple(parsed("generic", _TABLES))

    @staticmethod
    def account_id(number: int) -> str:
        """A customer's number, with its zeros."""
        return f"{number:010d}"

    @staticmethod
    def deal_id(number: int) -> str:
        """A deal's number."""
        return f"D{number:09d}"

    @staticmethod
    def order_id(number: int) -> str:
        """An order's number."""
        return f"S{number:09d}"

    @staticmethod
    def contract_id(number: int) -> str:
        """A contract's number."""
        return f"V{number:09d}"

    def key_id(self, record: Deal | Doc) -> str:
        """A deal is named by its number."""
        return str(record.id)

    def reference(self, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of the articles."""
        for product in self._world.products:
            yield "generic__article", (str(product.id), product.code, product.name, product.family)

    def party(self, party: Party, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of a party's customers."""
        for record in party.crm:
            where = record.address_at(now)
            yield "generic__customer", (
                record.id, record.name, record.tax_id, where["street"], where["city"], where["state"] or None,
                where["zip"], where["country"], f"https://www.{record.domain}" if record.domain else None,
                None if record.external is None else str(record.external), "X" if party.intercompany else None,
                stamp_text(record.changed(now)))

    def chain(self, chain: Chain, now: int) -> Iterator[tuple[str, tuple]]:
        """(table, row) of the deals and orders of a chain that are seen at `now`."""
        for deal in chain.deals:
            if not deal.seen(now):
                continue
            yield from self._deal(deal, now)
            if deal.order and deal.order.created < now:
                yield from self._order(deal, deal.order, now)

    def _deal(self, deal: Deal, now: int) -> Iterator[tuple[str, tuple]]:
        closed = deal.outcome != "open" and deal.closed < now
        stage = {"won": "WON", "lost": "LOST"}[deal.outcome] if closed else "OPEN"
        decimals, deleted = CURRENCIES[deal.currency].decimals, gone(deal, now)
        changed = deal.deleted if deleted else max(deal.closed if closed else deal.created, _amended(deal, now))
        yield "generic__deal", (
            deal.id, deal.name, deal.account.id, deal.party.entity, deal.currency, amount_text(deal.net(now), decimals),
            stage, date_text(deal.closed // DAY), "X" if deleted else None, stamp_text(changed or deal.created))
        if deal.header_only:  # sold as a lump sum: one line without an article
            yield "generic__deal_line", (deal.id, 1, None, "1", amount_text(deal.net(now), decimals))
        else:
            yield from self._lines("generic__deal_line", deal.id, deal, now)

    def _order(self, deal: Deal, order: CrmOrder, now: int) -> Iterator[tuple[str, tuple]]:
        synced = order.synced if order.synced and order.synced[0] < now else None
        changed = max(order.created, _amended(deal, now), synced[0] if synced else 0)
        yield "generic__sales_order", (
            order.id, order.number, deal.account.id, deal.id, order.reference, str(synced[1]) if synced else None,
            deal.party.entity, deal.currency, amount_text(deal.net(now), CURRENCIES[deal.currency].decimals),
            date_text(order.created // DAY), stamp_text(changed))
        yield from self._lines("generic__sales_order_line", order.id, deal, now)

    def _lines(self, table: str, owner: str, deal: Deal, now: int) -> Iterator[tuple[str, tuple]]:
        decimals = CURRENCIES[deal.currency].decimals
        for number, line in enumerate(lines_at(deal, now), 1):
            yield table, (owner, number, str(self._world.products[line.product].id), decimal_text(line.quantity, 5),
                          amount_text(line.amount, decimals))


def _amended(deal: Deal, now: int) -> int:
    return deal.earlier[0] if deal.earlier and deal.earlier[0] < now else 0
