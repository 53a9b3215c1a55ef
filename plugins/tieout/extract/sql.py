"""Tables and queries of a database, through SQLAlchemy: read only, by key, in one snapshot per stream.

Pages go by key: `(cursor, key) > (last cursor, last key)`, never by offset, and never with a bare `>` on the stamp.
Within one read-only transaction at REPEATABLE READ a table does not move while it is paged. Rows without a stamp are
read in every window, for no window would find them. Stamps without an offset are in the connection's `time_zone`; the
end of the window is the database's own clock, a replica's included.

Numbers come as exact decimals; money that a column keeps as binary floating point needs `float_scale`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import islice
from typing import Any

import httpx
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from tieout import logs
from tieout.errors import AuthError, ConfigError, SchemaError, SourceError
from tieout.extract import Facts, Page, Window
from tieout.spec import Column, Connection, Stream
from tieout.spec_transports import SqlOptions, stream_options

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql",
            "mariadb": "mariadb+pymysql"}
# Where the clock is told without an offset: an expression that tells it in UTC.
_UTC_CLOCK = {"mysql": "utc_timestamp()", "mariadb": "utc_timestamp()", "sqlite": "current_timestamp",
              "mssql": "sysutcdatetime()", "oracle": "sys_extract_utc(systimestamp)"}
_PARENTS = 500  # keys in one question
_REFUSED = ("password authentication failed", "access denied", "no password supplied", "authentication failed")
_ABSENT = ("does not exist", "unknown column", "doesn't exist", "no such table", "no such column", "invalid identifier")


class SqlExtractor:
    """See the module's docstring, and `extract.Extractor`."""

    at_hand = False

    def __init__(self, connection: Connection, secrets: dict[str, str], *, transport: httpx.BaseTransport | None = None,
                 ) -> None:
        self.facts = Facts()
        self._connection = connection
        self._engine = _engine(connection, secrets)

    def __enter__(self) -> SqlExtractor:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._engine.dispose()

    def now(self) -> datetime:
        """The database's clock."""
        with self._reading("the clock") as db:
            found = db.execute(sa.select(sa.func.current_timestamp())).scalar_one()
            if found.tzinfo is not None:
                return found.astimezone(UTC)
            in_utc = _UTC_CLOCK.get(self._engine.dialect.name)  # else in the session's zone, which is not told
            if in_utc is not None:
                return db.execute(sa.select(sa.literal_column(in_utc, sa.DateTime()))).scalar_one().replace(tzinfo=UTC)
        return found.replace(tzinfo=self._connection.zone).astimezone(UTC)

    def available(self, stream: Stream) -> bool:
        """A table that is absent is an error."""
        return True

    def test(self) -> str:
        """One look at the clock."""
        return f"{self._engine.dialect.name} answers, its clock shows {self.now():%Y-%m-%d %H:%M:%S} UTC"

    def pages(self, stream: Stream, window: Window, parents: Iterator[str] | None = None) -> Iterator[Page]:
        """See `extract.Extractor`."""
        options = stream_options("sql", self._connection.options, stream.options)
        select = _Select(self._connection, stream, options)
        if parents is not None:
            yield from self._children(select, parents)
            return
        with self._reading(stream.name) as db:
            if window.full or stream.cursor is None:
                yield from self._by_key(db, select, None, with_cursor=False)
                return
            low, high = select.ends(db, window)
            cursor = select.column(stream.cursor)
            within = sa.and_(cursor < high, *([cursor >= low] if low is not None else []))
            yield from self._by_key(db, select, within, with_cursor=True)
            yield from self._by_key(db, select, cursor.is_(None), with_cursor=False)

    def _by_key(self, db: sa.Connection, select: _Select, condition: Any, *, with_cursor: bool) -> Iterator[Page]:
        last: tuple[Any, ...] | None = None
        while True:
            statement = select.page(condition, last, with_cursor=with_cursor)
            rows, place = self._rows(db, statement, select.options.page_rows), select.place(with_cursor=with_cursor)
            if rows:
                yield select.as_page(rows)
            if len(rows) < select.options.page_rows:
                return
            after = tuple(rows[-1][at] for at in place)
            if any(value is None for value in after) or after == last:
                raise SourceError(f"{select.where}: the key {', '.join(select.stream.key)} is empty or not unique, "
                                  "so that pages cannot go by it", hint="declare a key that identifies a row")
            last = after

    def _children(self, select: _Select, parents: Iterator[str]) -> Iterator[Page]:
        """The rows of the documents, some at a time; their keys ride on the last page of each lot."""
        owner = select.stream.column(select.stream.parent.column)
        with self._reading(select.stream.name) as db:
            while lot := tuple(islice(parents, _PARENTS)):
                wanted = [int(key) if owner.type == "integer" else key for key in lot]
                yield from self._by_key(db, select, select.column(owner.name).in_(wanted), with_cursor=False)
                yield Page(select.stream.name, b"[]", parents=lot)

    def _rows(self, db: sa.Connection, statement: sa.Select, most: int) -> list[Any]:
        self.facts.requests += 1
        with db.execution_options(stream_results=True, yield_per=min(most, 5_000)).execute(statement) as result:
            return [tuple(row) for row in result]

    @contextmanager
    def _reading(self, what: str) -> Iterator[sa.Connection]:
        """A read-only snapshot. Errors of the database as ours, without its passwords."""
        where = f"{self._connection.name}.{what}"
        try:
            with self._engine.connect() as db:
                if self._engine.dialect.name in ("mysql", "mariadb"):
                    db.exec_driver_sql("set session transaction read only")
                    db.commit()
                db = db.execution_options(**_isolation(self._engine.dialect.name))
                with db.begin():
                    yield db
        except DBAPIError as error:
            text = logs.redact(str(error.orig).strip())
            if any(word in text.lower() for word in _REFUSED):
                raise AuthError(f"{where}: {text}", hint="check user and password") from None
            if any(word in text.lower() for word in _ABSENT):
                raise SchemaError(f"{where}: {text}", hint="a declared table or column is gone, or the reader may not "
                                  "see it; mend the stream in tieout.yml, or the right") from None
            raise SourceError(f"{where}: {text}", hint="run again") from None
        except SQLAlchemyError as error:
            raise SourceError(f"{where}: {logs.redact(str(error))}") from None


class _Select:
    """The statements of one stream, and its rows as pages."""

    def __init__(self, connection: Connection, stream: Stream, options: SqlOptions) -> None:
        self.where = f"{connection.name}.{stream.name}"
        self.stream, self.options, self._zone = stream, options, connection.zone
        self._columns = [column for column in stream.columns if column.field]
        named = [sa.column(column.field) for column in self._columns]
        if options.table is not None:
            schema, _, table = options.table.rpartition(".")
            self._from: Any = sa.table(table, *named, schema=schema or None)
        else:
            self._from = sa.text((options.query or "").rstrip().rstrip(";")).columns(*named).subquery("asked")

    def column(self, name: str) -> Any:
        """The database's column behind ours."""
        return self._from.c[self.stream.column(name).field]

    def place(self, *, with_cursor: bool) -> list[int]:
        """Where in a row the values stand by which pages go."""
        names = [c.name for c in self._columns]
        return [names.index(name) for name in self._order(with_cursor)]

    def page(self, condition: Any, after: tuple[Any, ...] | None, *, with_cursor: bool) -> sa.Select:
        """One page: the condition, what comes after `after`, in order."""
        order = [self.column(name) for name in self._order(with_cursor)]
        statement = sa.select(*(self._from.c[c.field] for c in self._columns)).order_by(*order)
        if condition is not None:
            statement = statement.where(condition)
        if self.options.where:
            statement = statement.where(sa.text(f"({self.options.where})"))
        if after is not None:
            statement = statement.where(_after(order, after))
        return statement.limit(self.options.page_rows)

    def _order(self, with_cursor: bool) -> list[str]:
        first = [self.stream.cursor] if with_cursor and self.stream.cursor else []
        return [*first, *(name for name in self.stream.key if name not in first)]

    def ends(self, db: sa.Connection, window: Window) -> tuple[Any, Any]:
        """The window as the column's own kind of stamp: with its offset, or as the local clock shows it."""
        column = self.stream.column(self.stream.cursor)
        if column.type not in ("timestamp", "date"):
            raise ConfigError(f"{self.where}: the cursor {column.name} is declared as {column.type}",
                              hint="windows are spans of time: name a stamp, or say `mode: full`")
        sample = db.execute(sa.select(self.column(column.name)).where(self.column(column.name).is_not(None)).limit(1)
                            ).scalar_one_or_none()
        if isinstance(sample, datetime) and sample.tzinfo is not None:
            return window.start, window.end
        low, high = local_ends(window, self._zone)
        if isinstance(sample, date) and not isinstance(sample, datetime):
            return low and low.date(), high.date() + timedelta(days=1)
        return low, high

    def as_page(self, rows: list[Any]) -> Page:
        """The rows as text columns; exact, whatever the driver made of them."""
        arrays = []
        for at, column in enumerate(self._columns):
            arrays.append(pa.array([self._text(row[at], column) for row in rows], pa.string()))
        return Page(self.stream.name, pa.RecordBatch.from_arrays(arrays, [c.field for c in self._columns]), "arrow")

    def _text(self, value: Any, column: Column) -> str | None:
        if value is None or (isinstance(value, str) and column.type in ("date", "timestamp")
                             and value in self.options.null_dates):
            return None
        if isinstance(value, str):
            return value.rstrip(" ") if self.options.strip else value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Decimal):
            return f"{value:f}" if value.is_finite() else str(value)
        if isinstance(value, float):
            return self._of_float(value, column)
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, bytes | bytearray | memoryview):
            return self._of_bytes(bytes(value), column)
        return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)

    def _of_float(self, value: float, column: Column) -> str:
        if column.type != "amount":
            return repr(value)
        if self.options.float_scale is None:
            raise SchemaError(f"{self.where}: {column.field} is money kept as binary floating point",
                              hint="cast it in a `query`, or say `float_scale: 2` to round it to so many decimals")
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        scale = Decimal(1).scaleb(-self.options.float_scale)
        return f"{Decimal(repr(value)).quantize(scale, ROUND_HALF_EVEN, Context(prec=400)):f}"

    def _of_bytes(self, value: bytes, column: Column) -> str:
        if column.type == "boolean" and len(value) == 1:  # bit(1)
            return "true" if value != b"\x00" else "false"
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()


def _after(order: list[Any], after: tuple[Any, ...]) -> Any:
    """`(a, b) > (x, y)`, spelled out: not every database compares rows, and few use an index for it."""
    branches = []
    for at, value in enumerate(after):
        same = [column == known for column, known in zip(order[:at], after[:at], strict=True)]
        branches.append(sa.and_(*same, order[at] > value))
    return sa.or_(*branches)


def local_ends(window: Window, zone: Any) -> tuple[datetime | None, datetime]:
    """The window on a wall clock without offsets. Where the clock moves within it, wider by as much: no row is lost."""
    high = window.end.astimezone(zone)
    if window.start is None:
        return None, (high + timedelta(hours=1)).replace(tzinfo=None)
    low = window.start.astimezone(zone)
    moved = abs((low.utcoffset() or timedelta(0)) - (high.utcoffset() or timedelta(0)))
    return low.replace(tzinfo=None) - moved, high.replace(tzinfo=None) + moved


def _isolation(dialect: str) -> dict[str, Any]:
    if dialect == "postgresql":
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return {"isolation_level": "REPEATABLE READ"} if dialect in ("mysql", "mariadb") else {}


def _engine(connection: Connection, secrets: dict[str, str]) -> sa.Engine:
    try:
        url: URL = make_url(str(connection.options["url"]))
    except ArgumentError:
        raise ConfigError(f"{connection.name}: options.url is no database url",
                          hint="such as postgresql://reader@host:5432/sales") from None
    if url.password:
        raise ConfigError(f"{connection.name}: options.url holds a password", hint="take it out; set "
                          f"TIEOUT_SECRET_{connection.name.upper()}__PASSWORD")
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if secrets.get("password"):
        url = url.set(password=secrets["password"])
    arguments: dict[str, Any] = {}
    seconds = int(connection.options.get("statement_seconds", 0))
    if url.drivername.startswith("postgresql"):
        arguments = {"application_name": "tieout", "connect_timeout": 15}
        if seconds:
            arguments["options"] = f"-c statement_timeout={seconds * 1000}"
    elif "pymysql" in url.drivername:
        arguments = {"connect_timeout": 15, "program_name": "tieout"}
        arguments |= {"read_timeout": seconds} if seconds else {}
    try:
        return sa.create_engine(url, connect_args=arguments, pool_size=1, max_overflow=1, hide_parameters=True)
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(f"{connection.name}: no driver for {url.drivername}: {error}",
                          hint="install the SQLAlchemy driver of this database") from None
