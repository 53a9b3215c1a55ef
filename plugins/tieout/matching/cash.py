"""How much of a payment a person may say pays an invoice: what both have open. The build holds to it again."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tieout.errors import ConfigError
from tieout.matching import identity_store as store
from tieout.matching.identity_cluster import Record
from tieout.matching.money import to_minor, units

if TYPE_CHECKING:
    import psycopg

HOP = "invoice_cash"
Pair = tuple[Record, Record]


class Applied(NamedTuple):
    """What of a payment pays an invoice; `amount` is positive."""

    amount: Decimal
    currency_code: str


class _Side(NamedTuple):
    document_key: str
    role: str
    currency_code: str
    legal_entity_id: str
    is_applicable: bool
    is_to_come: bool
    open: Decimal  # as the last build left it


class Cash:
    """What payments and invoices have open: as the last build left it, less what was decided since."""

    def __init__(self, books: psycopg.Connection) -> None:
        """`books`: the transformer's."""
        self._books = books
        self._applied: dict[Pair, Decimal] = {}
        self._sides: dict[Record, _Side | None] = {}

    @cached_property
    def _built(self) -> dict[Pair, Decimal]:
        """What was decided when the last build read it. As JSON: a release before knew no amounts."""
        found = self._books.execute(
            "select connection_a, document_id_a, connection_b, document_id_b, (to_jsonb(d) ->> 'amount')::numeric"
            " from intermediate.int_rec_decisions as d"
            " where d.superseded_run = 9223372036854775807 and d.hop = %s and d.is_match",
            (HOP,),
        )
        return {((a, b), (c, d)): amount for a, b, c, d, amount in found}

    @cached_property
    def _now(self) -> dict[Pair, Decimal]:
        """What is decided by now."""
        return {(each.a, each.b): each.amount for each in store.decisions(self._books, HOP) if each.same}

    def share(self, one: Record, other: Record, asked: str = "") -> Applied | None:
        """What is decided of two documents: `asked`, or as much as both have open. Remembered, for the next call.

        None where other decisions have left nothing: of payments for several invoices not every pair takes something.
        ConfigError where they are no receipt and invoice of one currency and entity, or have less open.
        """
        sides = [self._side(one), self._side(other)]
        named = [f"{connection}:{id_}" for connection, id_ in (one, other)]
        if {side.role for side in sides} != {"payment", "billing"}:
            raise ConfigError(f"{named[0]} and {named[1]} are no payment and invoice")
        for name, side in zip(named, sides, strict=True):
            if not side.is_applicable:
                raise ConfigError(f"{name} is void, out of scope, or neither a receipt nor an invoice",
                                  hint="credits and what goes back to customers are applied in the books")  # fmt: skip
            if side.is_to_come:
                raise ConfigError(f"{name} is dated after the last publication", hint="decide when its day has come")
        if len({side.legal_entity_id for side in sides}) > 1:
            raise ConfigError(f"{named[0]} and {named[1]} are of two legal entities",
                              hint="what one pays for another is applied in the books of both")  # fmt: skip
        currency = sides[0].currency_code
        if currency != sides[1].currency_code:
            raise ConfigError(f"{named[0]} is in {currency}, {named[1]} in {sides[1].currency_code}",
                              hint="cash in another currency is applied in the books, at their rate")  # fmt: skip
        pair = min(one, other), max(one, other)
        rests = [self._rest(record, side, pair) for record, side in zip((one, other), sides, strict=True)]
        if not asked and any(
            rest == 0 and self._about[record] - {pair} for record, rest in zip((one, other), rests, strict=True)
        ):
            return None
        amount = _amount(asked, currency) if asked else min(rests)
        for name, rest in zip(named, rests, strict=True):
            if not rest or amount > rest:
                raise ConfigError(f"{name} has {rest:.{units(currency)}f} {currency} open, not {asked or 'more'}",
                                  hint="`tieout documents list` shows what was decided of it")  # fmt: skip
        self._now[pair] = amount
        self._about[one].add(pair)
        self._about[other].add(pair)
        return Applied(amount, currency)

    @cached_property
    def _about(self) -> defaultdict[Record, set[Pair]]:
        """What is decided, or was when the last build read it, by document."""
        found: defaultdict[Record, set[Pair]] = defaultdict(set)
        for pair in self._built.keys() | self._now.keys():
            for record in pair:
                found[record].add(pair)
        return found

    def _rest(self, record: Record, side: _Side, pair: Pair) -> Decimal:
        """What the document has open for one pair beside the others, of which the last build may not know."""
        rest = side.open
        for other in self._about[record]:
            if all((found := self._find(each)) and found.is_applicable for each in other):
                rest += self._by_decision(other) - (self._now.get(other, Decimal(0)) if other != pair else 0)
        return max(rest, Decimal(0))

    def _by_decision(self, pair: Pair) -> Decimal:
        """What the last build applied because of a decision."""
        if pair not in self._built:
            return Decimal(0)
        if pair not in self._applied:
            applied = self._books.execute(
                """
                select coalesce(sum(p.amount), 0)
                  from intermediate.int_rec_documents as a, intermediate.int_rec_documents as b, marts.rec_document as p
                 where a.superseded_run = 9223372036854775807 and (a.connection, a.document_id) = (%s, %s)
                   and b.superseded_run = 9223372036854775807 and (b.connection, b.document_id) = (%s, %s)
                   and p.superseded_run = 9223372036854775807 and p.hop = %s
                   and (p.document_key, p.piece_key) in (values (a.document_key, b.document_key),
                                                                (b.document_key, a.document_key))
                """,
                (*pair[0], *pair[1], HOP),
            ).fetchone()[0]
            self._applied[pair] = min(self._built[pair], applied)
        return self._applied[pair]

    def _side(self, record: Record) -> _Side:
        if (found := self._find(record)) is None:
            raise ConfigError(f"no payment or invoice {':'.join(record)}", hint="connection:id, as in netsuite_us:1042")
        return found

    def _find(self, record: Record) -> _Side | None:
        """The document, and what is open of it: of a payment A7, of an invoice what is due or not yet."""
        if record in self._sides:
            return self._sides[record]
        found = self._books.execute(
            """
            select d.document_key, d.role, d.currency_code, d.legal_entity_id,
                   d.scope_reason is null and not d.is_void and not d.is_credit and not d.settles_itself
                   and d.total_amount > 0,
                   d.document_date > (select max(as_of_date) from ops.publication),
                   (select coalesce(sum(abs(b.amount)), 0) from marts.rec_break as b
                     where b.superseded_run = 9223372036854775807 and b.hop = %s and b.group_key = d.document_key
                       and case when d.role = 'payment' then b.reason_code = 'A7' and b.amount < 0
                                else b.reason_code in ('A10', 'B3') and b.amount > 0 end)
              from intermediate.int_rec_documents as d
             where d.superseded_run = 9223372036854775807 and d.connection = %s and d.document_id = %s
               and d.role in ('payment', 'billing')
            """,
            (HOP, *record),
        ).fetchone()
        self._sides[record] = _Side(*found) if found else None
        return self._sides[record]


def _amount(text: str, currency: str) -> Decimal:
    try:
        amount = Decimal(text.strip())
        to_minor(amount, currency)
    except (InvalidOperation, ValueError, OverflowError):
        raise ConfigError(f"{text!r} is no amount of {currency}", hint="as in 1234.50") from None
    if not amount.is_finite() or amount <= 0:
        raise ConfigError(f"{text!r} is not more than nothing", hint="what of the payment pays the invoice")
    return amount
