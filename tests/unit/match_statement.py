"""Bank statements and an open-item list, made up with habits of their own: names cut and in capitals, numbers in free
text with slips, many invoices in one transfer, discounts, fees, instalments, duplicates. Every payment is labelled.

Nothing here is shared with the simulated company, so that rules cannot lean on its habits.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

FIRST = (
    "Nord",
    "Alpen",
    "Hafen",
    "Stern",
    "Linden",
    "Blau",
    "Kron",
    "Feld",
    "Silber",
    "Berg",
    "Küsten",
    "Mühlen",
    "Tal",
    "Eich",
)
SECOND = (
    "werk",
    "bau",
    "technik",
    "logistik",
    "handel",
    "druck",
    "optik",
    "papier",
    "metall",
    "glas",
    "chemie",
    "möbel",
)
PLACES = (
    "Kiel",
    "Graz",
    "Bern",
    "Lyon",
    "Gent",
    "Turin",
    "Porto",
    "Malmö",
    "Cork",
    "Brno",
    "Linz",
    "Trier",
    "Ulm",
    "Jena",
)
FORMS = ("GmbH", "AG", "GmbH & Co. KG", "S.A.", "Ltd.", "B.V.", "")
PRICES = (49, 99, 120, 199, 250, 499, 990, 1200)


@dataclass
class Statement:
    """Records as items_of takes them, and the true (payment, invoice) couples."""

    payments: list[dict[str, Any]] = field(default_factory=list)
    invoices: list[dict[str, Any]] = field(default_factory=list)
    truth: set[tuple[str, str]] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)


def statement(seed: int, count: int = 2000, *, parties: bool = True) -> Statement:
    """About `count` invoices. `parties`: the bank's file has a column for the counterparty."""
    return _Maker(random.Random(seed), count, parties).make()


class _Maker:
    def __init__(self, rng: random.Random, count: int, parties: bool) -> None:
        self.rng, self.count, self.with_party, self.out = rng, count, parties, Statement()
        self.names = self._names(max(count // 9, 5))
        self.price_list = {name for name in self.names if rng.random() < 0.25}
        self.style = {name: rng.choice((0, 0, 1, 2, 3)) for name in self.names}
        self.serial = rng.randrange(3000, 60000)

    def _names(self, size: int) -> list[str]:
        made: set[str] = set()
        while len(made) < size:
            word = self.rng.choice(FIRST) + self.rng.choice(SECOND)
            made.add(f"{word} {self.rng.choice(PLACES)} {self.rng.choice(FORMS)}".strip())
        return sorted(made)

    def make(self) -> Statement:
        while len(self.out.invoices) < self.count:
            kinds = {
                "one": 58,
                "open": 8,
                "many": 10,
                "instalments": 4,
                "short": 3,
                "discount": 5,
                "fee": 1.5,
                "credit": 2,
                "duplicate": 0.8,
                "stray": 1.5,
                "over": 1,
                "no_text": 8,
            }
            kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
            getattr(self, f"_{kind}")(self.rng.choice(self.names), kind)
        self.rng.shuffle(self.out.payments)
        self.rng.shuffle(self.out.invoices)
        return self.out

    # --- records ------------------------------------------------------------------------------------------------------

    def _invoice(self, name: str, *, sign: int = 1, near: date | None = None) -> dict[str, Any]:
        self.serial += self.rng.choice((1, 1, 1, 2, 3))
        day = (
            near + timedelta(self.rng.randrange(20)) if near else date(2025, 1, 1) + timedelta(self.rng.randrange(360))
        )
        amount = (
            Decimal(self.rng.choice(PRICES))
            if name in self.price_list and self.rng.random() < 0.7
            else Decimal(int(self.rng.lognormvariate(11, 1.2)) + 500).scaleb(-2)
        )
        number = (
            f"RE-{day.year}-{self.serial:06d}",
            f"{day.year % 100}/{self.serial:06d}",
            f"F{self.serial:08d}",
            f"AR {self.serial:07d}",
        )[self.style[name]]
        record = {
            "id": self._id("d"),
            "date": day.isoformat(),
            "amount": str(amount * sign),
            "party": name,
            "currency": "CHF" if name.endswith("AG") else "EUR",
            "reference": number,
        }
        self.out.invoices.append(record)
        return record

    def _payment(
        self,
        paid: list[dict[str, Any]],
        amount: Decimal,
        kind: str,
        *,
        text: str | None = None,
        lag: int | None = None,
        name: str | None = None,
        currency: str = "EUR",
    ) -> dict[str, Any]:
        last = max((date.fromisoformat(each["date"]) for each in paid), default=date(2025, 6, 1))
        days = lag if lag is not None else max(1, int(self.rng.gauss(24, 9)))
        said = text if text is not None else self._text(paid)
        name = name or paid[0]["party"]
        record = {
            "id": self._id("p"),
            "date": (last + timedelta(days)).isoformat(),
            "amount": str(amount),
            "currency": paid[0]["currency"] if paid else currency,
        }
        bank = self._bank_name(name)
        if self.with_party:
            record |= {"party": bank, "text": said}
        else:
            record["text"] = f"{bank} {said}" if bank else said
        self.out.payments.append(record)
        self.out.truth |= {(record["id"], each["id"]) for each in paid}
        self.out.kinds[record["id"]] = kind
        return record

    def _id(self, prefix: str) -> str:
        return f"{prefix}{self.rng.getrandbits(40):010x}"

    def _bank_name(self, name: str) -> str | None:
        if self.rng.random() < 0.04:
            return None
        text = (
            name.upper().replace("Ä", "AE").replace("Ö", "OE").replace("Ü", "UE") if self.rng.random() < 0.5 else name
        )
        words = text.split()
        if self.rng.random() < 0.3:
            words = words[:2]
        return " ".join(words)[:27]

    def _spelt(self, number: str) -> str:
        form = self.rng.randrange(5)
        if form == 1:
            number = number.replace("-", " ").replace("/", " ")
        if form == 2:
            number = number.replace("-", "").replace("/", "").replace(" ", "")
        if form == 3:
            number = number.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ- ")
        if self.rng.random() < 0.12:
            number = self._slip(number)
        return number

    def _slip(self, number: str) -> str:
        digits = [place for place, c in enumerate(number) if c.isdigit()]
        place = self.rng.choice(digits[-4:-1])
        if self.rng.random() < 0.5:
            return number[:place] + str((int(number[place]) + self.rng.randrange(1, 10)) % 10) + number[place + 1 :]
        return number[:place] + number[place + 1] + number[place] + number[place + 2 :]

    def _text(self, paid: list[dict[str, Any]]) -> str:
        numbers = [self._spelt(each["reference"]) for each in paid]
        word = self.rng.choice(("Rg.", "RECHNUNG", "Invoice", "Zahlung zu", "/INV/", ""))
        noise = self.rng.choice(
            (
                "",
                " danke",
                f" Kd {self.rng.randrange(1000, 9999)}",
                f" vom {self.rng.randrange(1, 28):02d}.03.2025",
                f" EREF+{self.rng.getrandbits(32):08X}",
            )
        )
        return f"{word} {self.rng.choice((', ', ' + ', ' und ')).join(numbers)}{noise}".strip()

    # --- stories ------------------------------------------------------------------------------------------------------

    def _one(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        self._payment([invoice], Decimal(invoice["amount"]), kind)

    def _open(self, name: str, kind: str) -> None:
        self._invoice(name)

    def _no_text(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        self._payment(
            [invoice], Decimal(invoice["amount"]), kind, text=self.rng.choice(("Danke", "Rechnungen", "SEPA", ""))
        )

    def _many(self, name: str, kind: str) -> None:
        first = self._invoice(name)
        near = date.fromisoformat(first["date"])
        paid = [first, *(self._invoice(name, near=near) for _ in range(self.rng.choice((1, 1, 2, 3, 5))))]
        total = sum((Decimal(each["amount"]) for each in paid), Decimal(0))
        if self.rng.random() < 0.2:
            total -= (Decimal(paid[-1]["amount"]) * Decimal("0.4")).quantize(Decimal("0.01"))
        self._payment(paid, total, kind)

    def _instalments(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        amount = Decimal(invoice["amount"])
        part = (amount / self.rng.choice((2, 3))).quantize(Decimal("0.01"))
        left, lag = amount, 14
        while left > 0:
            paid = part if left > part * Decimal("1.2") else left
            self._payment([invoice], paid, kind, lag=lag)
            left, lag = left - paid, lag + 30

    def _short(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        part = (Decimal(invoice["amount"]) * Decimal(self.rng.randrange(30, 96)) / 100).quantize(Decimal("0.01"))
        self._payment([invoice], part, kind)

    def _over(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        self._payment([invoice], Decimal(invoice["amount"]) + self.rng.randrange(1, 50), kind)

    def _discount(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        self._payment(
            [invoice],
            (Decimal(invoice["amount"]) * Decimal("0.98")).quantize(Decimal("0.01")),
            kind,
            lag=self.rng.randrange(3, 14),
        )

    def _fee(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        self._payment([invoice], Decimal(invoice["amount"]) - Decimal("4.50"), kind)

    def _credit(self, name: str, kind: str) -> None:
        first = self._invoice(name)
        near = date.fromisoformat(first["date"])
        credit = self._invoice(name, sign=-1, near=near)
        credit["amount"] = str((-Decimal(first["amount"]) * Decimal("0.3")).quantize(Decimal("0.01")))
        self._payment([first, credit], Decimal(first["amount"]) + Decimal(credit["amount"]), kind)

    def _duplicate(self, name: str, kind: str) -> None:
        invoice = self._invoice(name)
        self._payment([invoice], Decimal(invoice["amount"]), kind, lag=10)
        second = self._payment([invoice], Decimal(invoice["amount"]), kind, lag=17)
        self.out.truth.discard((second["id"], invoice["id"]))

    def _stray(self, name: str, kind: str) -> None:
        amount = Decimal(int(self.rng.lognormvariate(10.5, 1)) + 300).scaleb(-2)
        self._payment([], amount, kind, text=self.rng.choice(("Miete", "Kaution", "Rg. 99-2219")), name=name)


def scored(truth: set[tuple[str, str]], found: set[tuple[str, str]]) -> dict[str, float]:
    """Precision, recall and F1 of couples."""
    hit = len(truth & found)
    precision, recall = hit / max(len(found), 1), hit / max(len(truth), 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9)}
