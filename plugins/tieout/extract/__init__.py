"""Extract: protocols without vendor names. An extractor turns a stream and a window into pages as received."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from tieout.spec import Stream


@dataclass(frozen=True)
class Window:
    """Half-open: `start <= cursor < end`, both aware and in UTC. `start` None: from the beginning.

    `full` asks for the complete set, whatever the stamps.
    """

    start: datetime | None
    end: datetime
    full: bool = False


@dataclass(frozen=True)
class Page:
    """One answer of a vendor, as received.

    body: JSON or CSV bytes, or an Arrow batch (files). A record's keys are the vendor's words, exactly `Column.field`.
      A CSV body has its header line, on every page.
    records: where the list of records is in a JSON body ("records", "items"; "" = the body is the list).
    parents: for a child stream, the parent keys whose complete content this batch of pages carries: rows of these
      parents that are not received are gone. A parent may have no record at all. Parents are asked for in chunks; a
      chunk's parents ride on its last page, so that they are never named before all of their rows.
    deleted: each record is a notice of deletion and holds the key columns only.
    noise: keys of each record that are the protocol's, not data: neither landed nor reported as new fields. "@" among
      them: so are all that hold an @, as annotations of OData do, but for declared ones.
    omits_nulls: a declared field that a record lacks is NULL (the vendor leaves nulls out), no sign of a lost field.
    broken: (text, reason) of records that are not even records: a row with too few values, a line that is no JSON.
    """

    stream: str
    body: bytes | pa.RecordBatch
    media: Literal["json", "csv", "arrow"] = "json"
    records: str = ""
    parents: tuple[str, ...] = ()
    deleted: bool = False
    noise: tuple[str, ...] = ()
    omits_nulls: bool = False
    broken: tuple[tuple[str, str], ...] = ()


# How a protocol writes its JSON records: (noise, omits_nulls) of its pages. For records that come from the archive or
# the quarantine, where the page around them is gone.
MANNERS: dict[str, tuple[tuple[str, ...], bool]] = {
    "soql": (("attributes",), False),
    "suiteql": (("links",), True),
    "adf_rest": (("links",), False),
    "odata": (("__metadata", "@odata.etag", "@odata.id", "@odata.editLink", "@odata.type", "@odata.context", "@"),
              False),
    # What stands beside a record is read from within these; the archive keeps them.
    "qbo": (("$lines", "domain", "sparse", "status", "MetaData", "Line", "LinkedTxn", "TxnTaxDetail", "CustomField",
             "CustomerRef", "CurrencyRef", "DepartmentRef", "ClassRef", "ARAccountRef", "DepositToAccountRef",
             "SalesTermRef", "PaymentMethodRef", "RecurDataRef", "BillAddr", "ShipAddr", "PrimaryEmailAddr",
             "PrimaryPhone", "WebAddr", "ParentRef", "IncomeAccountRef", "ExpenseAccountRef", "AssetAccountRef",
             "CurrencyPrefs", "AccountingInfoPrefs"), True),
    "files": ((), True),
    "rest": ((), True),
    "singer": ((), True),
    "dlt": (("_dlt_load_id", "_dlt_id"), True),
    "admin_graphql": (("@",), False),  # what is nested in a record, under names with an @
}


def as_sent(protocol: str, page: Page) -> Page:
    """A page of stored JSON records, to be read as the vendor's own page was."""
    noise, omits_nulls = MANNERS.get(protocol, ((), False))
    return replace(page, noise=noise, omits_nulls=omits_nulls) if page.media == "json" else page


@dataclass
class Facts:
    """What an extraction cost, for `ops.step` and `ops.load`. `notes["not_offered"]`: streams that the vendor lacks."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited_seconds: float = 0.0
    token_refreshes: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def so_far(self) -> Facts:
        """A copy of the counts, to compare with later."""
        return replace(self, notes={})

    def since(self, before: Facts) -> Facts:
        """What came on top of `before`."""
        return Facts(
            self.requests - before.requests, self.retries - before.retries, self.bytes - before.bytes,
            self.waited_seconds - before.waited_seconds, self.token_refreshes - before.token_refreshes,
        )


class Extractor(Protocol):
    """Open for one connection and one landing run; a context manager that closes its HTTP client.

    at_hand: the pages are on this machine, not behind somebody else's network: this machine is what a load waits for.
    """

    facts: Facts
    at_hand: bool

    def __enter__(self) -> Extractor: ...

    def __exit__(self, *exc: object) -> None: ...

    def now(self) -> datetime:
        """The vendor's clock (HTTP `Date`), so that a skewed client clock loses nothing. Aware, UTC."""

    def available(self, stream: Stream) -> bool:
        """False where an optional feature (multicurrency, multi-book) is off at this vendor."""

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """The stream's pages in the window. `parents`: keys of the changed parents, for a child stream; without them a
        child stream is read whole.

        All records of the window come; a page may also hold records a little outside of it (a repeated hour of a local
        clock), and after a restart the same record twice. Raises SourceError and its kin. Ends only when the vendor
        said that there is no more.
        """

    def test(self) -> str:
        """Authenticate and make one cheap request; return a line for `tieout doctor`."""
