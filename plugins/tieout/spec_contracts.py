"""What the records of a company's own system mean: `contracts:` of a stream, in words and without SQL.

A contract (docs/proprietary-systems.md lists them) takes columns; each is told by an expression over the stream's
columns or, as `header.<column>`, over those of the record that it belongs to. What is not told follows from the
contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, model_validator

from tieout.spec_transports import Frozen, Words
from tieout.spec_yaml import Misplaced

DOCUMENT_TYPES = (
    "deal", "crm_order", "order", "invoice", "cash_sale", "credit_memo", "cash_refund", "payment", "customer_deposit",
    "customer_refund", "journal", "estimate", "return_authorisation", "delivery", "fx_revaluation",
)
EVENT_TYPES = (
    "booking", "booking_change", "booking_cancel", "order", "billing", "billing_credit", "billing_cancel",
    "recognition", "deferral", "cash", "cash_refund", "write_off", "fx_gain_loss",
)
LEGS = ("item", "discount", "freight", "tax", "receipt", "revenue", "deferred")
ACCOUNT_KINDS = ("revenue", "deferred", "receivable", "unbilled", "cash", "tax", "fx", "other")
LINK_TYPES = (
    "deal_order", "created_from", "order_bill", "payment", "deposit_application", "return", "credit", "fulfilment",
    "recognition",
)
WORDS = {
    "document_type": DOCUMENT_TYPES, "from_type": DOCUMENT_TYPES, "to_type": DOCUMENT_TYPES, "leg": LEGS,
    "payment_type": DOCUMENT_TYPES, "invoice_type": DOCUMENT_TYPES, "event_type": EVENT_TYPES,
    "account_kind": ACCOUNT_KINDS, "link_type": LINK_TYPES,
}


class Contract(NamedTuple):
    """Columns that a mapping must tell, and those that it may."""

    required: tuple[str, ...]
    optional: tuple[str, ...]


def _contract(required: str, optional: str = "") -> Contract:
    return Contract(tuple(required.split()), tuple(optional.split()))


CONTRACTS = {
    "customers": _contract("customer_id name", """parent_customer_id legal_name tax_id domain email phone street city
        region postal_code country_code external_customer_id is_person is_intercompany is_active"""),
    "products": _contract("product_id", "product_code gtin name family unit is_stocked is_liability is_active"),
    "legal_entities": _contract("source_id", "name country_code functional_currency_code parent_id is_elimination"),
    "fiscal_periods": _contract("source_id start_date end_date", "period name is_closed is_ar_locked locked_at"),
    "documents": _contract("document_type document_id document_date", """document_number legal_entity customer_id
        currency_code source_type_code source_status_code status external_id reference posting_period
        header_total_amount exchange_rate is_posting is_voided is_cancelled is_pending is_intercompany due_date
        closed_date created_at"""),
    "revenue_events": _contract("document_type document_id line_id event_type", """leg product_id place_id quantity unit
        net_amount discount_amount tax_amount freight_amount total_amount functional_amount fx_rate event_date
        posting_date period service_start_date service_end_date"""),
    "document_links": _contract("from_type from_id to_type to_id link_type", "from_line_id to_line_id amount"),
    "settlements": _contract("line_id payment_type payment_id invoice_type invoice_id applied_amount",
                             "currency_code applied_date discount_amount"),
    "gl_entries": _contract("entry_id line_id account_code functional_amount posting_date", """legal_entity account_kind
        amount currency_code functional_currency_code period document_type document_id customer_id is_manual
        ledger_book"""),
    "fx_rates": _contract("from_currency_code to_currency_code rate rate_date", "rate_type quoted_as priority"),
    "stock_levels": _contract("product_id place_id quantity as_of_date", "place_name unit"),
}


def _texts(value: Any) -> Any:
    """A word, a number or null, or a list of them, as texts; null is the empty text."""
    values = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(one, float | dict) for one in values):
        raise ValueError("words, whole numbers or null; quote a number with a point")
    return tuple("" if one is None else str(one).lower() if isinstance(one, bool) else str(one) for one in values)


Values = Annotated[tuple[str, ...], BeforeValidator(_texts)]
When = dict[str, Values]


class Expression(Frozen):
    """How a column is told: by exactly one of `column`, `constant`, `first` (of several that is not empty), `join`
    (several with `separator`, for keys) or `true_when`; and what is then done to it, in the order of these words.

    map: a code → our word; one that is not listed is `unmapped`: reported (and empty), kept, or empty. minus: another
    column taken off (debit, credit). multiply_by, divide_by: a column. invert: 1 / value. absolute. negate.
    negative_when: conditions under which the sign turns.
    """

    column: str | None = None
    constant: str | int | bool | None = None
    first: Words = ()
    join: Words = ()
    separator: str = "|"
    true_when: When = {}
    map: dict[str, str | int | bool] = {}
    unmapped: Literal["report", "keep", "empty"] = "report"
    minus: str | None = None
    multiply_by: str | None = None
    divide_by: str | None = None
    invert: bool = False
    absolute: bool = False
    negate: bool = False
    negative_when: When = {}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"column": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _one_source(self) -> Expression:
        told = [word for word in ("column", "constant", "first", "join", "true_when")
                if getattr(self, word) not in (None, (), {})]
        if len(told) != 1:
            raise ValueError(f"exactly one of column, constant, first, join and true_when; here: {told or 'none'}")
        if self.multiply_by and self.divide_by:
            raise ValueError("either multiply_by or divide_by")
        return self

    def columns(self) -> Iterator[str]:
        """The columns that it reads."""
        yield from (one for one in (self.column, self.minus, self.multiply_by, self.divide_by) if one)
        yield from (*self.first, *self.join, *self.true_when, *self.negative_when)


class OutOfScope(Frozen):
    """Records that are kept and not counted, with the reason from the closed list of `rec_break_reasons`."""

    when: When
    reason: Literal["G1", "H1", "H2", "H3", "H4"]


class Header(Frozen):
    """The stream of which a record is a part, and how: our column → the header's column."""

    stream: str
    on: dict[str, str]


class Mapping(Frozen):
    """One stream into one contract. where, unless: conditions on its records."""

    where: When = {}
    unless: When = {}
    header: Header | None = None
    out_of_scope: tuple[OutOfScope, ...] = ()
    columns: dict[str, Expression]


Mappings = dict[str, tuple[Mapping, ...]]


def one_or_many(value: Any) -> Any:
    """A contract's mapping, or a list of them."""
    if not isinstance(value, dict):
        return value
    return {name: (one,) if isinstance(one, dict) else tuple(one) if isinstance(one, list) else one
            for name, one in value.items()}


def check(mapping: Mapping, contract: str, known: dict[str, str], headers: dict[str, dict[str, str]]) -> None:
    """Misplaced (below the mapping) for a name that points to nothing. known: {column: type} of the stream; headers: of
    all streams of the connection."""
    told = CONTRACTS[contract]
    for name in mapping.columns:
        if name not in told.required + told.optional:
            raise Misplaced(["columns", name], f"{contract} has no such column; known: "
                            f"{', '.join(told.required + told.optional)}")
    if missing := [name for name in told.required if name not in mapping.columns]:
        raise Misplaced(["columns"], f"{contract} needs {', '.join(missing)}")
    if contract == "revenue_events" and not {"net_amount", "total_amount"} & mapping.columns.keys():
        raise Misplaced(["columns"], "revenue_events needs net_amount or total_amount")
    if mapping.header is not None:
        known = known | _of_header(mapping.header, known, headers)
    for name, expression in mapping.columns.items():
        _known(["columns", name], expression.columns(), known)
        _our_words(name, expression)
    for word, conditions in (("where", mapping.where), ("unless", mapping.unless)):
        _known([word], conditions, known)
    for at, one in enumerate(mapping.out_of_scope):
        if contract not in ("documents", "revenue_events"):
            raise Misplaced(["out_of_scope"], f"{contract} has no scope; leave records out with `unless`")
        _known(["out_of_scope", at, "when"], one.when, known)


def _of_header(header: Header, known: dict[str, str], headers: dict[str, dict[str, str]]) -> dict[str, str]:
    if header.stream not in headers:
        raise Misplaced(["header", "stream"], f"no such stream; known: {', '.join(headers)}", header.stream)
    theirs = headers[header.stream]
    for ours, other in header.on.items():
        _known(["header", "on"], [ours], known)
        _known(["header", "on"], [other], theirs)
    if not header.on:
        raise Misplaced(["header", "on"], "our column → the header's column")
    return {f"header.{name}": kind for name, kind in theirs.items()}


def _known(where: list[str | int], names: Any, known: dict[str, str]) -> None:
    for name in names:
        if name not in known:
            more = "" if not name.startswith("header.") else " (declare `header` with its stream)"
            raise Misplaced(where, f"{name!r} is no declared column{more}; known: {', '.join(known)}")


def _our_words(name: str, expression: Expression) -> None:
    """Where a column takes words of a closed list, constants and maps hold no others."""
    if name not in WORDS:
        return
    if expression.constant is None and not expression.map:
        raise Misplaced(["columns", name], f"needs a constant, or a map to one of {', '.join(WORDS[name])}")
    for word in [expression.constant] if expression.constant is not None else expression.map.values():
        if word not in WORDS[name]:
            raise Misplaced(["columns", name], f"{word!r} is none of {', '.join(WORDS[name])}", word)


def described(mapping: Mapping) -> dict[str, Any]:
    """The mapping for dbt: plain values, without words that say nothing."""
    columns = {name: one.model_dump(exclude_defaults=True, mode="json") for name, one in mapping.columns.items()}
    return mapping.model_dump(exclude_defaults=True, exclude={"columns"}, mode="json") | {"columns": columns}
