"""The companies that Halden sells to, as the CRM and the ERP know them.

82 % of the ERP's customers are in the CRM; the CRM has half as many accounts again that never bought, 15 % of them
look-alikes (the name of a customer in another country). 8 % belong to families that share a domain. 6 % of shared
customers exist twice in the CRM, 2 % twice in the ERP; deals and orders use any of the records. A customer's external
id in the ERP is filled for 40 %, and so is the ERP's id in the CRM; 1.5 % of those are wrong: they point to somebody
else. Spelling differs by level (see `names.spelled`). Four ERP customers are the group's own entities.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from simulator import names
from simulator.clock import DAY, FIRST_DAY
from simulator.ids import Permutation
from simulator.money import CURRENCIES, ENTITIES
from simulator.units import Unit

COUNTS = {"1k": 170, "50k": 8_000, "1m": 120_000}
_TERMS = {2: 30, 3: 14, 4: 45}


@dataclass(slots=True, eq=False)
class Record:
    """One record of a company in one system. `external` is the other system's id as this record believes it."""

    id: str | int
    number: int
    name: str
    address: dict[str, str]
    domain: str | None
    tax_id: str | None
    created: int
    external: str | None = None
    moved: tuple[int, dict[str, str]] | None = None

    def changed(self, now: int) -> int:
        """When it was last modified."""
        return self.moved[0] if self.moved and self.moved[0] <= now else self.created

    def address_at(self, now: int) -> dict[str, str]:
        """The address on file."""
        return self.moved[1] if self.moved and self.moved[0] <= now else self.address


@dataclass(slots=True, eq=False)
class Party:
    """A company. Every one has records in at least one system; `taxed` is false for the exempt."""

    index: int
    name: str
    country: str
    entity: str
    currency: str
    domain: str
    terms: int
    taxed: bool
    listed: bool
    intercompany: bool = False
    crm: list[Record] = field(default_factory=list)
    erp: list[Record] = field(default_factory=list)

    @property
    def terms_days(self) -> int:
        """Days until an invoice is due."""
        return _TERMS[self.terms]


def agree(account: Record, customer: Record) -> bool:
    """Whether deterministic evidence joins the two: equal normalised name and country, or a believable external id."""
    same_country = account.address["country"] == customer.address["country"]
    if same_country and names.normalised(account.name) == names.normalised(customer.name):
        return True
    linked = customer.external == account.id or account.external == str(customer.id)
    return linked and same_country and account.domain is not None and account.domain == customer.domain


class Customers:
    """All parties of a company of this seed, size and level. Holds nothing that depends on the clock but moves.

    `account_id` and `customer_id`: how the unit's CRM and ERP make an id of a number.
    """

    def __init__(
        self,
        seed: int,
        size: str,
        level: int,
        unit: Unit,
        account_id: Callable[[int], str],
        customer_id: Callable[[int], str | int],
    ) -> None:
        self._draw = random.Random(f"{seed}/customers")
        self._level, self._unit = level, unit
        self._account_id, self._customer_id = account_id, customer_id
        bits = max(10, (COUNTS[size] * 8).bit_length())
        self._account_numbers = Permutation(seed, "account", bits)
        self._customer_numbers = Permutation(seed, "customer", bits)
        self._made = {"crm": 0, "erp": 0}
        self._stems = names.stems(self._draw)
        self._family: tuple[str, str] | None = None
        self._names: set[tuple[str, str]] = set()
        self.parties: list[Party] = []
        self._make(COUNTS[size])
        self.shared = [p for p in self.parties if p.crm and p.erp]
        self.known = [p for p in self.parties if p.crm]
        self.erp_only = [p for p in self.parties if p.erp and not p.crm and not p.intercompany]
        self.intercompany = [p for p in self.parties if p.intercompany]
        self.foreign = [p for p in self.shared if p.currency != ENTITIES[p.entity].currency]
        self.taxed = [p for p in self.shared if p.taxed and ENTITIES[p.entity].tax]

    def _make(self, count: int) -> None:
        entities = list(self._unit.entities)
        for index in range(count):
            # the first ones spread over all entities, in their own and in foreign currency, whatever the size
            entity = (
                entities[index % len(entities)]
                if index < 40
                else self._draw.choices(entities, [e.share for e in self._unit.entities.values()])[0]
            )
            party = self._party(entity, foreign=index % 4 == 3 if index < 40 else self._draw.random() < 0.25)
            if index < 40 or self._draw.random() < 0.82:
                self._into_crm(party)
            self._into_erp(party)
            self._link(party)
        buyers = list(self.parties)
        for _ in range(count // 2):
            self._prospect(buyers)
        self._wrong_links([p for p in buyers if p.crm])
        for entity in list(self._unit.entities)[1:]:
            self._sister(entity)

    def _party(self, entity: str, *, foreign: bool) -> Party:
        draw, own = self._draw, ENTITIES[entity].currency
        if self._family and draw.random() < 0.45:
            stem, domain = self._family
            self._family = None
        else:
            stem = next(self._stems)
            domain = f"{stem.lower()}.example"
            self._family = (stem, domain) if draw.random() < 0.08 else None
        drawn = iter(lambda: f"{stem} {draw.choice(names.NOUNS)}", None)
        name = next(name for name in drawn if (name, ENTITIES[entity].country) not in self._names)
        others = [code for code in CURRENCIES if code != own and code != "KWD"]
        party = Party(
            len(self.parties),
            name,
            ENTITIES[entity].country,
            entity,
            draw.choice(others) if foreign else own,
            domain,
            draw.choices((2, 3, 4), (70, 15, 15))[0],
            draw.random() < 0.9,
            draw.random() < 0.3,
        )
        self.parties.append(party)
        self._names.add((party.name, party.country))
        return party

    def _record(self, party: Party, system: str, name: str) -> Record:
        draw, made = self._draw, self._made[system]
        self._made[system] += 1
        number = (self._account_numbers if system == "crm" else self._customer_numbers)(made)
        has_tax, has_domain = (0.30, 0.72) if system == "crm" else (0.85, 0.50)
        created = (FIRST_DAY - draw.randint(30, 900)) * DAY + draw.randint(21_600, 72_000)
        if system == "crm":
            return Record(
                self._account_id(number),
                number,
                name,
                names.address(draw, party.country),
                party.domain if draw.random() < has_domain else None,
                self._tax_id(party, "crm") if draw.random() < has_tax else None,
                created,
            )
        return Record(
            self._customer_id(number),
            number,
            name,
            names.address(draw, party.country),
            party.domain if draw.random() < has_domain else None,
            self._tax_id(party, "erp") if draw.random() < has_tax else None,
            created,
        )

    def _tax_id(self, party: Party, system: str) -> str:
        number = names.tax_number(random.Random(f"{party.name}/{party.country}"), party.country)
        if system == "crm" and self._draw.random() < 0.5:
            number = number[:2] + " " + number[2:]
        if system == "crm" and self._level > 1 and self._draw.random() < 0.03:
            number = number[:-1] + str((int(number[-1]) + 1) % 10)
        return number

    def _into_crm(self, party: Party) -> None:
        for _ in range(2 if self._draw.random() < 0.06 else 1):
            name = names.spelled(self._draw, party.name, party.country, 1)
            party.crm.append(self._record(party, "crm", name))

    def _into_erp(self, party: Party) -> None:
        for _ in range(2 if self._draw.random() < 0.02 else 1):
            name = names.spelled(self._draw, party.name, party.country, self._level)
            record = self._record(party, "erp", name)
            if party.crm and self._draw.random() >= 0.12:
                record.address = party.crm[0].address
            party.erp.append(record)

    def _link(self, party: Party) -> None:
        if not party.crm:
            return
        account, customer = party.crm[0], party.erp[0]
        if self._draw.random() < 0.40:
            customer.external = str(account.id)
        if self._draw.random() < 0.40:
            account.external = str(customer.id)

    def _wrong_links(self, shared: list[Party]) -> None:
        linked = [p for p in shared if p.erp[0].external]
        others = [p for p in shared if not p.erp[0].external]
        for party in self._draw.sample(linked, max(1, round(len(linked) * 0.015))):
            # external ids are unique in the ERP, so the wrong one is of somebody whose own record has none
            stranger = others.pop(self._draw.randrange(len(others)))
            while stranger.domain == party.domain:  # a relative would look right
                stranger = others.pop(self._draw.randrange(len(others)))
            party.erp[0].external = str(stranger.crm[0].id)
        linked = [p for p in shared if p.crm[0].external]
        for party in self._draw.sample(linked, max(1, round(len(linked) * 0.015))):
            stranger = next(p for p in iter(lambda: self._draw.choice(shared), None) if p.domain != party.domain)
            party.crm[0].external = str(stranger.erp[0].id)

    def _prospect(self, buyers: list[Party]) -> None:
        draw = self._draw
        party = self._party(draw.choice(list(self._unit.entities)), foreign=False)
        if draw.random() < 0.15:
            twin = draw.choice(buyers)
            elsewhere = [e for e in self._unit.entities.values() if e.country != twin.country]
            if not elsewhere:  # a unit of one country has nowhere else
                party.crm.append(self._record(party, "crm", names.spelled(draw, party.name, party.country, 1)))
                return
            entity = draw.choice(elsewhere)
            party.name, party.entity, party.country, party.currency = (
                twin.name,
                entity.code,
                entity.country,
                entity.currency,
            )
            if (party.name, party.country) in self._names:
                party.name = f"{next(self._stems)} {draw.choice(names.NOUNS)}"
            self._names.add((party.name, party.country))
        party.crm.append(self._record(party, "crm", names.spelled(draw, party.name, party.country, 1)))

    def _sister(self, entity: str) -> None:
        found, parent = ENTITIES[entity], next(iter(self._unit.entities.values()))
        party = Party(
            len(self.parties),
            f"IC {found.name}",
            found.country,
            parent.code,
            parent.currency,
            "halden.example",
            2,
            False,
            False,
            intercompany=True,
        )
        self.parties.append(party)
        party.erp.append(self._record(party, "erp", f"IC {found.legal_name}"))

    def move(self, index: int, moment: int) -> Party:
        """Give a shared party a new address from `moment` on, in both systems."""
        party = self.shared[index % len(self.shared)]
        address = names.address(random.Random(f"{party.name}/{moment}"), party.country)
        for record in (*party.crm, *party.erp):
            record.moved = (moment, address)
        return party

    def pairs(self) -> Iterator[tuple[str, str, str, str]]:
        """The true identities: every CRM record with every ERP record of the same company."""
        for party in self.shared:
            for account in party.crm:
                for customer in party.erp:
                    yield self._unit.crm, str(account.id), self._unit.erp, str(customer.id)
