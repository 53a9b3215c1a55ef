"""How a vendor's system shows what happened: its tables, its ids, its records as of a moment, and its stand-in server.

The generator plans chains of documents in neutral words (`documents`); a system renders them. To add one: a class that
fulfils `System`, one that fulfils `StandIn`, and a line in `_SYSTEMS`. Nothing else of the simulator knows a vendor.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from simulator.customers import Party
    from simulator.documents import Chain, Deal, Doc
    from simulator.habits import Habits
    from simulator.plan import World
    from simulator.schema import Table
    from simulator.served import Clock
    from simulator.units import Unit

Row = tuple[str, tuple]

# system: (class that renders, class that serves)
_SYSTEMS = {
    "salesforce": ("simulator.salesforce_rows:Salesforce", "simulator.salesforce_api:SalesforceApi"),
    "dynamics_sales": ("simulator.dataverse_rows:DynamicsSales", "simulator.dataverse_api:DataverseApi"),
    "dynamics_finance": ("simulator.fno_rows:DynamicsFinance", "simulator.fno_api:FinanceApi"),
    "health_cloud": ("simulator.health_cloud_rows:HealthCloud", "simulator.salesforce_api:HealthCloudApi"),
    "generic": ("simulator.own_crm_rows:OwnCrm", "simulator.own_crm:OwnCrmServer"),
    "netsuite": ("simulator.netsuite_rows:NetSuite", "simulator.netsuite_api:NetSuiteApi"),
    "oracle": ("simulator.oracle_rows:Oracle", "simulator.oracle_api:OracleApi"),
    "quickbooks": ("simulator.quickbooks_rows:QuickBooks", "simulator.quickbooks_api:QuickBooksApi"),
    "sap": ("simulator.sap_rows:Sap", "simulator.sap_api:SapApi"),
    "shopify": ("simulator.shopify_rows:Shopify", "simulator.shopify_api:ShopifyApi"),
}


class System(Protocol):
    """A vendor's records of one company.

    `tables`: what `sim.db` holds for it. `columns`: {table in sim.db: the columns that rendered rows have, in order}.
    Ids are made from a number that tells nothing (see `ids.Permutation`). A CRM makes ids of accounts, deals, orders
    and contracts; an ERP of customers and documents, and the numbers that people see. `key_id` is how the answer key
    names a record: the `document_id` of the staging contract. `kinds` of an ERP: which documents it has beyond the
    ordinary ones: `Delivery` and `Return` (goods that leave and come back), `ProForma`, `Adjustment` (of what a
    customer owes, by hand), `PaymentDraft` (keyed and not posted); of a CRM: `Shipping`, for a shop that charges for
    it and gives money back. None where it does not say.
    """

    system: ClassVar[str]
    role: ClassVar[Literal["crm", "erp"]]
    kinds: ClassVar[frozenset[str]]
    columns: ClassVar[dict[str, tuple[str, ...]]]

    def __init__(self, world: World) -> None: ...

    @staticmethod
    def tables() -> tuple[Table, ...]: ...

    # of a CRM
    @staticmethod
    def account_id(number: int) -> str: ...
    @staticmethod
    def deal_id(number: int) -> str: ...
    @staticmethod
    def order_id(number: int) -> str: ...
    @staticmethod
    def contract_id(number: int) -> str: ...

    # A CRM whose orders are its deals has `order_of(deal_id) -> str`, how others name the order that a deal is.
    # One that pays out has `payouts(database) -> list[payouts.Payout]`, by what is written to `sim.db`.

    # of an ERP
    @staticmethod
    def customer_id(number: int) -> str | int: ...
    @staticmethod
    def document_id(kind: str, number: int) -> str | int: ...
    @staticmethod
    def document_number(kind: str, number: int) -> str: ...

    def key_id(self, record: Deal | Doc) -> str: ...

    # An ERP may have, besides:
    #   lacks: ClassVar[frozenset[str]], what most books can tell and these cannot (see `scenarios.registry.Scenario`);
    #   stock(levels: list[stock.Level], now: int) -> Iterator[Row], the (table, row) of what is on hand as of `now`;
    #   held_rate(base: str, transaction: str, rate: int) -> int, a rate as its books hold and post it, where that is
    #   less than eight decimals;
    #   deposits(database, found: list[payouts.Deposit]) -> Iterator[Row], the (table, row) of payouts at the bank;
    #   cancelling_id(doc: Doc, now: int) -> str | None, the `key_id` of a bill's cancellation, where that is a record.

    def reference(self, now: int) -> Iterator[Row]:
        """(table, row) of all master data but the parties."""

    def party(self, party: Party, now: int) -> Iterator[Row]:
        """(table, row) of this system's records of a party."""

    def chain(self, chain: Chain, now: int) -> Iterator[Row]:
        """(table, row) of this system's records of a chain that are seen at `now`."""


class StandIn(Protocol):
    """A vendor's server over one folder: an ASGI app, which gets a port of its own.

    `keys` come from `make_keys` and are kept in the folder; `account` holds the switches of this vendor's edition and
    permissions (see `habits`), with a default. What is not HTTP (files, SFTP, a database) starts with `start(url)` and
    ends with `close()`.
    """

    secret_names: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Path, keys: dict[str, str], account: Any, habits: Habits, clock: Clock) -> None: ...

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    @staticmethod
    def make_keys() -> dict[str, str]:
        """New credentials: what the server checks and what a client needs."""

    def connection(self, url: str, unit: Unit) -> dict[str, Any]:
        """This connection as it stands in tieout.yml; secrets are those of `keys` in `secret_names`."""

    def start(self, url: str) -> None:
        """The port is open: start what does not speak HTTP."""

    def close(self) -> None:
        """Free what is held; the server has stopped."""


@cache
def renders(system: str) -> type[System]:
    """The class that renders a system's records."""
    return _load(_SYSTEMS[system][0])


@cache
def serves(system: str) -> type[StandIn]:
    """The class that serves them."""
    return _load(_SYSTEMS[system][1])


def kinds(system: str) -> frozenset[str]:
    """What a system has beyond the ordinary."""
    return getattr(renders(system), "kinds", frozenset())


def lacks(of: Unit) -> frozenset[str]:
    """What the books of a unit cannot tell (see `scenarios.registry.Scenario`)."""
    alone = frozenset({"sisters"}) if len(of.entities) == 1 else frozenset()
    return alone | getattr(renders(of.erp), "lacks", frozenset())


def known() -> tuple[str, ...]:
    """All systems."""
    return tuple(_SYSTEMS)


def _load(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(module), name)
