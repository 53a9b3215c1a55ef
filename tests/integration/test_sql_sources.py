"""A real Postgres and a real MariaDB as sources: read by key, in a snapshot, exactly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration import database_servers
from tests.integration.own_system import current, figures, land
from tieout import localpg
from tieout.errors import AuthError, ConfigError, SchemaError, SourceError
from tieout.extract import Window
from tieout.extract.sql import SqlExtractor, local_ends
from tieout.spec import Company, Connection
from tieout.warehouse import migrate

pytestmark = pytest.mark.usefixtures("clean_raw", "archive")

ORDERS: dict[str, Any] = {
    "key": ["id"], "cursor": "changed", "control_totals": ["net"],
    "columns": {"id": "text", "net": "amount", "changed": "timestamp", "paid": "boolean", "day": "date",
                "note": "text"},
    "options": {"table": "orders"},
}
LINES: dict[str, Any] = {"key": ["order_id", "line"], "parent": {"stream": "orders", "column": "order_id"},
                         "columns": {"order_id": "text", "line": "integer", "net": "amount"},
                         "options": {"table": "order_lines"}}


def connection(url: sa.URL, streams: dict[str, Any], **options: Any) -> tuple[Connection, dict[str, str]]:
    """(connection, its secrets) for a database."""
    secrets = {"password": url.password} if url.password else {}
    plain = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    made = Company.model_validate({"version": 1, "connections": {"shop": {
        "system": "generic", "protocol": "sql", "role": "erp", "auth": "password" if secrets else "none",
        "time_zone": "Europe/Berlin", "streams": streams,
        "options": {"url": plain.render_as_string(), "cursor_overlap": "1s", **options}}}})
    migrate(made)
    return made.connection("shop"), secrets


@pytest.fixture(scope="module")
def mariadb() -> Iterator[sa.URL]:
    """A MariaDB of its own, with a reader of the database `shop`."""
    with database_servers.mariadb() as root:
        engine = sa.create_engine(root)
        with engine.begin() as db:
            db.exec_driver_sql("create database shop character set utf8mb4")
            db.exec_driver_sql("create user reader@'%%' identified by 'reading'")
            db.exec_driver_sql("create user reader@localhost identified by 'reading'")
            for host in ("'%%'", "localhost"):
                db.exec_driver_sql(f"grant select on shop.* to reader@{host}")
        engine.dispose()
        yield root.set(database="shop")


@pytest.fixture(scope="module")
def postgres(warehouse_home: Path) -> Iterator[sa.URL]:
    """A database of its own in the tests' Postgres."""
    words = localpg.environment(warehouse_home)
    url = sa.make_url(words["TIEOUT_WAREHOUSE_SUPERUSER_DSN"]) if "TIEOUT_WAREHOUSE_SUPERUSER_DSN" in words else None
    owner = url or sa.URL.create("postgresql", "tieout_owner", words["TIEOUT_WAREHOUSE_OWNER_PASSWORD"],
                                 words["TIEOUT_WAREHOUSE_HOST"], int(words["TIEOUT_WAREHOUSE_PORT"]),
                                 words["TIEOUT_WAREHOUSE_DATABASE"])
    with _admin(owner) as db:
        db.exec_driver_sql("drop schema if exists shop cascade")
        db.exec_driver_sql("create schema shop")
    yield owner.set(drivername="postgresql")
    with _admin(owner) as db:
        db.exec_driver_sql("drop schema if exists shop cascade")


def _admin(url: sa.URL) -> Any:
    return sa.create_engine(url.set(drivername="postgresql+psycopg")).begin()


def fill(db: Any, schema: str, stamp: str) -> None:
    """Tables of a shop: `stamp` is the type of the column that says when a row changed."""
    for table in ("order_lines", "orders"):
        db.exec_driver_sql(f"drop table if exists {schema}{table}")
    db.exec_driver_sql(f"create table {schema}orders (id varchar(10) primary key, net numeric(20, 4), "
                       f"changed {stamp} null, paid smallint, day date, note varchar(50))")
    db.exec_driver_sql(f"create table {schema}order_lines (order_id varchar(10), line integer, net numeric(20, 4), "
                       "primary key (order_id, line))")
    for number in range(25):
        moment = "null" if number == 24 else f"'2026-03-01 10:00:{number // 5:02d}'"
        db.exec_driver_sql(f"insert into {schema}orders values ('{number:04d}', {number}.1001, {moment}, {number % 2}, "
                           f"'2026-03-01', 'Ü {number}')")
        for line in (1, 2):
            db.exec_driver_sql(f"insert into {schema}order_lines values ('{number:04d}', {line}, 1.5)")


@pytest.fixture(params=["postgres", "postgres_tz", "mariadb"])
def shop(request: pytest.FixtureRequest) -> tuple[sa.URL, str, Any]:
    """(url, prefix of tables, a way to change something) of each database."""
    if request.param == "mariadb":
        url = request.getfixturevalue("mariadb")
        engine = sa.create_engine(url)
        with engine.begin() as db:
            fill(db, "", "datetime")
        return url.set(username="reader", password="reading", drivername="mariadb"), "", engine
    url = request.getfixturevalue("postgres")
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"))
    with engine.begin() as db:
        fill(db, "shop.", "timestamptz" if request.param == "postgres_tz" else "timestamp")
    return url, "shop.", engine


def streams(prefix: str, **more: Any) -> dict[str, Any]:
    return {"orders": {**ORDERS, "options": {"table": f"{prefix}orders", **more}},
            "lines": {**LINES, "options": {"table": f"{prefix}order_lines", **more}}}


def test_pages_go_by_key_and_every_row_lands_exactly(shop):
    url, prefix, engine = shop
    found, secrets = connection(url, streams(prefix, page_rows=4))
    results = land(found, secrets=secrets)
    assert (results["orders"].landed, results["lines"].landed) == (25, 50)
    net, paid, day, note = current("shop__orders", "net", "paid", "day", "note")[7]
    assert (net, paid, str(day), note) == (Decimal("7.1001"), True, "2026-03-01", "Ü 7")
    assert sum(row[0] for row in current("shop__orders", "net")) == sum(Decimal(f"{n}.1001") for n in range(25))
    engine.dispose()


def test_what_changed_comes_and_so_do_rows_without_a_stamp(shop):
    url, prefix, engine = shop
    found, secrets = connection(url, streams(prefix, page_rows=4))
    land(found, secrets=secrets)
    with engine.begin() as db:
        now = datetime.now(UTC) if "shop." in prefix and "timestamptz" in _kind(db, prefix) else None
        stamp = now.isoformat() if now else datetime.now(found.zone).replace(tzinfo=None).isoformat(" ", "seconds")
        db.execute(sa.text(f"update {prefix}orders set net = 99, changed = :at where id = '0003'"), {"at": stamp})
        db.execute(sa.text(f"update {prefix}orders set net = 77 where id = '0024'"))
        db.execute(sa.text(f"delete from {prefix}order_lines where order_id = '0003' and line = 2"))
    time.sleep(1.2)
    results = land(found, secrets=secrets)
    assert results["orders"].landed == 2
    nets = dict(current("shop__orders", "id", "net"))
    assert (nets["0003"], nets["0024"]) == (Decimal(99), Decimal(77))
    assert results["lines"].deleted == 1
    engine.dispose()


def _kind(db: Any, prefix: str) -> str:
    found = db.execute(sa.text("select data_type from information_schema.columns where table_name = 'orders' "
                               "and table_schema = 'shop' and column_name = 'changed'")).scalar_one()
    return "timestamptz" if "with time zone" in found else found


def test_a_query_is_a_stream_too(shop):
    url, prefix, engine = shop
    query = f"select id, net, changed, paid, day, note from {prefix}orders where id < '0010'"
    found, secrets = connection(url, {"orders": {**ORDERS, "options": {"query": query, "page_rows": 3}}})
    assert figures(land(found, secrets=secrets)["orders"])[:2] == (10, 10)
    engine.dispose()


def test_a_column_that_is_gone_is_an_error_that_names_it(shop):
    url, prefix, engine = shop
    broken = {**ORDERS, "columns": {**ORDERS["columns"], "nope": "text"}, "options": {"table": f"{prefix}orders"}}
    found, secrets = connection(url, {"orders": broken})
    with pytest.raises(SchemaError, match="nope"):
        land(found, secrets=secrets)
    engine.dispose()


def test_the_reader_cannot_write(shop):
    url, prefix, engine = shop
    found, secrets = connection(url, streams(prefix))
    with SqlExtractor(found, secrets) as extractor, pytest.raises(SourceError, match="(?i)read.only|denied"), \
            extractor._reading("x") as db:
        db.execute(sa.text(f"delete from {prefix}orders"))
    engine.dispose()


def test_wrong_password_is_said_without_it(mariadb):
    found, _ = connection(mariadb.set(username="reader", password="x"), streams(""))
    with pytest.raises(AuthError) as error:
        land(found, secrets={"password": "wrong-horse"})
    assert "wrong-horse" not in str(error.value)


def test_mysql_zero_dates_padded_text_bits_and_unsigned_numbers(mariadb):
    engine = sa.create_engine(mariadb)
    with engine.begin() as db:
        db.exec_driver_sql("set sql_mode = ''")
        db.exec_driver_sql("drop table if exists odd")
        db.exec_driver_sql("create table odd (id char(5), net decimal(30,10), day date, at datetime, "
                           "big bigint unsigned, flag bit(1), tiny tinyint(1), primary key (id))")
        db.exec_driver_sql("insert into odd values ('a', 12345678901234567.0123456789, '0000-00-00', "
                           "'0000-00-00 00:00:00', 18446744073709551615, b'1', 1)")
    stream = {"key": ["id"], "mode": "full",
              "columns": {"id": "text", "net": "amount", "day": "date", "at": "timestamp", "big": "text",
                          "flag": "boolean", "tiny": "boolean"},
              "options": {"table": "odd"}}
    found, secrets = connection(mariadb.set(username="reader", password="reading"), {"odd": stream})
    land(found, secrets=secrets)
    assert current("shop__odd", "id", "net", "day", "at", "big", "flag", "tiny") == [
        ("a", Decimal("12345678901234567.0123456789"), None, None, "18446744073709551615", True, True)]
    engine.dispose()


def test_money_as_binary_floating_point_needs_its_decimals_said(postgres):
    with _admin(postgres) as db:
        db.exec_driver_sql("create table if not exists shop.floats (id text primary key, net double precision)")
        db.exec_driver_sql("insert into shop.floats values ('1', 0.1::float8 + 0.2::float8) on conflict do nothing")
    stream = {"key": ["id"], "mode": "full", "columns": {"id": "text", "net": "amount"},
              "options": {"table": "shop.floats"}}
    found, secrets = connection(postgres, {"floats": stream})
    with pytest.raises(SchemaError, match="net is money kept as binary floating point"):
        land(found, secrets=secrets)
    found, secrets = connection(postgres, {"floats": {**stream, "options": {"table": "shop.floats", "float_scale": 2}}})
    land(found, secrets=secrets)
    assert current("shop__floats", "net") == [(Decimal("0.3"),)]


@pytest.mark.parametrize("options", [
    {"table": "a", "query": "select 1"}, {}, {"query": "delete from a"}, {"query": "select 1; drop table a"}])
def test_a_stream_is_a_table_or_one_query_that_selects(postgres, options):
    with pytest.raises(ValueError, match="either|begins with select"):
        connection(postgres, {"orders": {**ORDERS, "options": options}})


def test_a_password_in_the_url_is_refused(postgres):
    made = Company.model_validate({"version": 1, "connections": {"shop": {
        "system": "generic", "protocol": "sql", "role": "erp", "auth": "none", "time_zone": "UTC",
        "streams": {"orders": ORDERS}, "options": {"url": "postgresql://u:p@h/d"}}}})
    with pytest.raises(ConfigError, match="holds a password"):
        SqlExtractor(made.connection("shop"), {})


def test_in_the_hour_that_a_clock_repeats_no_row_is_lost():
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)  # 02:50 summer time
    low, high = local_ends(Window(start, start + timedelta(minutes=20)), zone)  # to 02:10 winter time
    assert low <= datetime(2026, 10, 25, 2, 10) < high
    assert low <= datetime(2026, 10, 25, 2, 59) < high
