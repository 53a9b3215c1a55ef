"""SuiteQL as the stand-in for NetSuite understands it: dialect, formats, features, texts of errors."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.habits import Habits, NetSuiteAccount
from simulator.netsuite_api import NetSuiteApi
from simulator.netsuite_api.dates import Zone, to_char
from simulator.netsuite_api.errors import NetSuiteError
from simulator.netsuite_api.template import template
from simulator.served import Clock
from tests.simulated_company import DOCUMENTS, build, document, insert


class Account:
    """Answers SuiteQL without HTTP."""

    def __init__(self, folder: Path) -> None:
        self.settings = NetSuiteAccount()
        keys = dict.fromkeys(("consumer_key", "consumer_secret", "token_id", "token_secret"), "x")
        self.api = NetSuiteApi(folder, keys, self.settings, Habits.none(), Clock(folder))

    def rows(self, query: str, limit: int = 1000) -> list[dict[str, Any]]:
        statement, values = self.api._statement(query)
        parameters = {**statement.bound(values), "page_limit": limit, "page_offset": 0}
        found = [json.loads(text) for text, in self.api.database.connection().execute(statement.page, parameters)]
        assert all(row.pop("links") == [] for row in found)
        return found

    def count(self, query: str) -> int:
        statement, values = self.api._statement(query)
        return self.api._count(self.api.database.connection(), statement, statement.bound(values))

    def values(self, query: str) -> list[Any]:
        return [next(iter(row.values()), None) for row in self.rows(query)]

    def refused(self, query: str) -> str:
        with pytest.raises(NetSuiteError) as caught:
            self.rows(query)
        assert (caught.value.status, caught.value.code) == (400, "INVALID_PARAMETER")
        return caught.value.detail


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    account = Account(build(tmp_path_factory.mktemp("company")))
    yield account
    account.api.close()


@pytest.fixture(autouse=True)
def as_delivered(account: Account) -> Iterator[None]:
    yield
    fresh = NetSuiteAccount()
    for name in vars(fresh):
        setattr(account.settings, name, getattr(fresh, name))


def test_null_columns_are_left_out_and_everything_is_a_string(account: Account) -> None:
    row, = account.rows("SELECT ID, TranId, FOREIGNTOTAL, foreignamountunpaid, POSTING, voided, dueDate, memo, "
                        "TranDate AS Day FROM Transaction WHERE id = 12")
    assert row == {"id": "12", "tranid": "INV12", "foreigntotal": "1190", "foreignamountunpaid": "80.5", "posting": "T",
                   "voided": "F", "day": "1/31/2026"}


def test_some_numbers_may_come_as_json_numbers(account: Account) -> None:
    assert account.rows("SELECT currencyprecision FROM currency WHERE id = 1") == [{"currencyprecision": 2}]
    account.settings.json_numbers = frozenset()
    assert account.rows("SELECT currencyprecision FROM currency WHERE id = 1") == [{"currencyprecision": "2"}]


@pytest.mark.parametrize(("preference", "expected"), [
    ("M/D/YYYY", "1/31/2026"), ("D/M/YYYY", "31/1/2026"), ("DD.MM.YYYY", "31.01.2026"), ("DD-Mon-YYYY", "31-Jan-2026"),
])
def test_a_date_without_to_char_follows_the_users_preference(account: Account, preference: Any, expected: str) -> None:
    account.settings.date_format = preference
    assert account.values("SELECT trandate FROM transaction WHERE id = 1") == [expected]
    assert account.count(f"SELECT id FROM transaction WHERE trandate = '{expected}'") == DOCUMENTS
    assert account.values("SELECT TO_CHAR(trandate, 'YYYY-MM-DD') FROM transaction WHERE id = 1") == ["2026-01-31"]


def test_stamps_are_told_and_compared_in_the_users_zone(account: Account) -> None:
    told = account.rows("SELECT lastmodifieddate plain, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') exact_ "
                        "FROM transaction WHERE id = 1")
    assert told == [{"plain": "4/30/2026", "exact_": "2026-04-30 17:01:00"}]  # 00:01 UTC on 1 May
    condition = since("2026-04-30 17:01:00", "2026-04-30 17:03:00")
    assert account.values(f"SELECT id FROM transaction WHERE {condition} ORDER BY id") == ["1", "2"]
    midnight = "TO_DATE('2026-05-01', 'YYYY-MM-DD')"
    assert account.count(f"SELECT id FROM transaction WHERE lastmodifieddate < {midnight}") == 419


def since(wall: str, before: str) -> str:
    """A condition on the stamp, in the user's zone."""
    picture = "'YYYY-MM-DD HH24:MI:SS'"
    return (f"lastmodifieddate >= TO_TIMESTAMP('{wall}', {picture}) AND "
            f"lastmodifieddate < TO_TIMESTAMP('{before}', {picture})")


def test_an_hour_in_autumn_exists_twice(account: Account) -> None:
    zone = Zone("America/Los_Angeles")
    assert zone.wall("2025-11-02 08:30:00") == zone.wall("2025-11-02 09:30:00") == "2025-11-02 01:30:00"
    assert zone.utc("2025-11-02 01:30:00") is None and zone.utc("2025-11-02 02:00:00") == "2025-11-02 10:00:00"
    assert zone.utc("2026-03-08 02:30:00") is None  # and one in spring not at all
    database = sqlite3.connect(account.api.folder / "sim.db", isolation_level=None)
    for number, stamp in ((90001, "2025-11-02 08:45:00"), (90002, "2025-11-02 09:15:00")):
        insert(database, "netsuite__transaction", document(number, lastmodifieddate=stamp))
    condition = since("2025-11-02 01:30:00", "2025-11-02 03:00:00")
    found = account.values(f"SELECT id FROM transaction WHERE {condition}")
    database.execute("DELETE FROM netsuite__transaction WHERE id > 90000")
    database.close()
    assert found == ["90001"], "01:15 of the second hour is before 01:30 on the wall, although it came later"


def test_an_empty_string_is_null(account: Account) -> None:
    assert account.count("SELECT id FROM transaction WHERE tranid <> ''") == 0
    assert account.count("SELECT id FROM transaction WHERE memo = ''") == 0
    assert account.count("SELECT id FROM transaction WHERE NVL(memo, '') IS NULL") == DOCUMENTS


@pytest.mark.parametrize(("query", "text"), [
    ("SELECT foo FROM transaction", "Field 'foo' for record 'transaction' was not found."),
    ("SELECT t.id FROM transaction t WHERE t.foo = 1", "Field 'foo' for record 'transaction' was not found."),
    ("SELECT l.foo FROM transaction t JOIN transactionline l ON l.transaction = t.id", "Field 'foo' for record "
     "'transactionline' was not found."),
    ("SELECT id FROM foo", "Record 'foo' was not found."),
    ("SELECT id FROM transaction LIMIT 5", "Invalid or unsupported search"),
    ("SELECT id FROM transaction; SELECT id FROM item", "only one SELECT is allowed"),
    ("DELETE FROM transaction", "only one SELECT is allowed"),
    ("UPDATE transaction SET memo = 'x'", "only one SELECT is allowed"),
    ("SELECT id FROM transaction WHERE id = :id", "Invalid or unsupported search"),
    ("SELECT id FROM transaction WHERE", "Invalid or unsupported search"),
    ("SELECT t.id FROM transaction t, item i WHERE t.id = i.id(+)", "Invalid or unsupported search"),
    ("SELECT id FROM transaction t JOIN transactionline l ON l.transaction = t.id", "'id' is ambiguous"),
    ("SELECT type, COUNT(*) FROM transaction", "'type' must be grouped or aggregated"),
    ("SELECT id FROM transaction WHERE id = 'abc'", "invalid number 'abc'"),
    ("SELECT id FROM transaction WHERE id IN ('abc')", "invalid number 'abc'"),
    ("SELECT id FROM transaction WHERE trandate > '2026-01-31'", "is not a date in the format M/D/YYYY"),
    ("SELECT id FROM sim__key", "Record 'sim__key' was not found."),
    ("SELECT load_extension('x') FROM transaction", "Invalid or unsupported search"),
])
def test_what_suiteql_does_not_know_is_refused_in_its_words(account: Account, query: str, text: str) -> None:
    detail = account.refused(query)
    assert text in detail
    assert detail.startswith("Invalid search query. Detailed unprocessed description follows. Search error occurred: ")


@pytest.mark.parametrize(("feature", "query", "text"), [
    ("oneworld", "SELECT subsidiary FROM transactionline", "Field 'subsidiary' for record 'transactionline'"),
    ("oneworld", "SELECT id FROM subsidiary", "Record 'subsidiary'"),
    ("multi_currency", "SELECT currency FROM transaction", "Field 'currency'"),
    ("multi_currency", "SELECT id FROM currencyrate", "Record 'currencyrate'"),
    ("multi_book", "SELECT accountingbook FROM transactionaccountingline", "Field 'accountingbook'"),
    ("multi_book", "SELECT id FROM accountingbook", "Record 'accountingbook'"),
])
def test_columns_depend_on_features(account: Account, feature: str, query: str, text: str) -> None:
    assert account.rows(query) is not None
    setattr(account.settings, feature, False)
    assert text in account.refused(query)


def test_several_books_double_the_ledger(account: Account) -> None:
    ledger = "SELECT SUM(amount) s, COUNT(*) n FROM transactionaccountingline"
    assert account.rows(ledger) == [{"s": "-20002", "n": "20"}]
    primary = f"{ledger} WHERE accountingbook = (SELECT id FROM accountingbook WHERE isprimary = 'T')"
    assert account.rows(primary) == [{"s": "-10001", "n": "10"}]
    account.settings.multi_book = False
    assert account.rows(ledger) == [{"s": "-10001", "n": "10"}]


def test_sales_are_the_negative_sum_of_lines(account: Account) -> None:
    query = ("SELECT -SUM(l.foreignamount) net FROM transaction t INNER JOIN transactionline l ON l.transaction = t.id "
             "WHERE l.mainline = 'F' AND l.taxline = 'F' AND NVL(l.iscogs, 'F') = 'F' AND t.type = 'CustInvc'")
    assert account.values(query) == ["10001"]
    assert account.count("SELECT id FROM transactionline WHERE mainline = 'F' AND taxline = 'F' AND iscogs = 'F'") == 0


def test_rownum_is_given_before_order_by(account: Account) -> None:
    assert account.values("SELECT id FROM transaction WHERE ROWNUM <= 3 ORDER BY id DESC") == ["3", "2", "1"]
    wrapped = "SELECT id FROM (SELECT id FROM transaction ORDER BY id DESC) WHERE ROWNUM < 3"
    assert account.values(wrapped) == [str(DOCUMENTS), str(DOCUMENTS - 1)]
    paged = ("SELECT * FROM (SELECT a.*, ROWNUM rn FROM (SELECT id FROM transaction ORDER BY id) a WHERE ROWNUM <= 4) "
             "WHERE rn > 2")
    assert account.rows(paged) == [{"id": "3", "rn": "3"}, {"id": "4", "rn": "4"}]


@pytest.mark.parametrize(("query", "expected"), [
    ("SELECT id FROM transaction ORDER BY id FETCH FIRST 2 ROWS ONLY", ["1", "2"]),
    ("SELECT id FROM transaction ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", ["2", "3"]),
    ("SELECT TOP 2 id FROM transaction ORDER BY id", ["1", "2"]),
    ("SELECT id FROM transaction WHERE id IN (5, 3, '4') ORDER BY id", ["3", "4", "5"]),
    ("SELECT id FROM transaction WHERE type IN ('CustInvc', 'O''Brien') AND id BETWEEN 7 AND 8 ORDER BY 1 DESC",
     ["8", "7"]),
    ("SELECT tranid FROM transaction WHERE id NOT IN (SELECT transaction FROM transactionline) AND id < 12",
     ["INV11"]),
    ("SELECT id FROM transaction t WHERE id > 9 AND EXISTS (SELECT 1 FROM transactionline WHERE transaction = t.id)",
     ["10"]),
    ("SELECT DISTINCT mainline FROM transactionline ORDER BY mainline", ["F", "T"]),
    ("SELECT id FROM currency UNION ALL SELECT id FROM subsidiary ORDER BY id", ["1", "1", "2"]),
    ("SELECT id FROM currency UNION SELECT id FROM subsidiary ORDER BY id", ["1", "2"]),
    ("WITH c AS (SELECT id, symbol FROM currency) SELECT symbol FROM c WHERE id = 2", ["GBP"]),
    ("SELECT DECODE(posting, 'T', 'posted', 'not') FROM transaction WHERE id = 1", ["posted"]),
    ("SELECT CASE WHEN foreigntotal > 1000 THEN 'big' ELSE 'small' END FROM transaction WHERE id = 1", ["big"]),
    ("SELECT NVL(posting, 'F') FROM transaction WHERE id = 1", ["T"]),
    ("SELECT NVL(iscogs, 'F') FROM transactionline WHERE uniquekey = 11", ["F"]),
    ("SELECT BUILTIN.DF(status) FROM transaction WHERE id = 1", ["Invoice : Open"]),
    ("SELECT BUILTIN.DF(t.entity) FROM transaction t WHERE t.id = 1", ["Acme Ltd"]),
    ("SELECT BUILTIN.DF(posting) FROM transaction WHERE id = 1", ["Yes"]),
    ("SELECT UPPER(symbol) || '-' || name FROM currency WHERE id = 1", ["USD-US Dollar"]),
    ("SELECT foreigntotal * 3 - 0.1 FROM transaction WHERE id = 1", ["3569.9"]),
    ("SELECT ROUND(exchangerate * 100.05, 1) FROM transaction WHERE id = 1", ["110.1"]),
    ("SELECT TO_CHAR(lastmodifieddate, 'DD-MON-YY') FROM transaction WHERE id = 1", ["30-APR-26"]),
    ("SELECT TRUNC(lastmodifieddate) FROM transaction WHERE id = 1", ["4/30/2026"]),
    ("SELECT TO_CHAR(SYSDATE - 1, 'YYYY-MM-DD HH24:MI:SS') FROM dual", ["2026-06-29 05:00:00"]),
    ("SELECT COUNT(*) FROM transaction WHERE lastmodifieddate > SYSDATE - 60", ["1780"]),
    ("SELECT name FROM currency WHERE name LIKE 'us%'", []),  # Oracle's LIKE minds the case
    ("SELECT symbol FROM currency /* a comment */ WHERE id = 1 -- another", ["USD"]),
])
def test_the_dialect(account: Account, query: str, expected: list[str]) -> None:
    assert account.values(query) == expected


def test_a_second_column_of_a_name_is_numbered(account: Account) -> None:
    row, = account.rows("SELECT t.id, c.id, COUNT(*) OVER_ FROM transaction t JOIN currency c ON c.id = t.currency "
                        "WHERE t.id = 9 GROUP BY t.id, c.id")
    assert row == {"id": "9", "id_1": "1", "over_": "1"}


def test_joins_keep_what_has_no_partner(account: Account) -> None:
    query = ("SELECT t.id, l.uniquekey FROM transaction t LEFT OUTER JOIN transactionline l ON l.transaction = t.id "
             "AND l.mainline = 'T' WHERE t.id BETWEEN 10 AND 11 ORDER BY t.id")
    assert account.rows(query) == [{"id": "10", "uniquekey": "100"}, {"id": "11"}]


def test_queries_that_differ_in_values_share_a_translation() -> None:
    one = template("SELECT id FROM transaction WHERE id > 17 AND type IN ('A', 'B') AND memo = 'x > 5' ORDER BY id")
    other = template("SELECT id FROM transaction WHERE id > 4711 AND type IN ('C') AND memo = 'x > 5' ORDER BY id")
    assert one.text == other.text and "'x > 5'" in one.text
    assert list(one.values.values()) == [17, ["A", "B"]] and list(other.values.values()) == [4711, ["C"]]


def test_counting_stops_at_the_cap(account: Account) -> None:
    assert account.count("SELECT t.id FROM transaction t, transaction u") == 100_000


@pytest.mark.parametrize(("picture", "expected"), [
    ("YYYY-MM-DD HH24:MI:SS", "2026-01-09 15:04:05"), ("MM/DD/YYYY HH:MI AM", "01/09/2026 03:04 PM"),
    ("DD-Mon-YYYY", "09-Jan-2026"), ("YYYY\"Q\"Q", "2026Q1"),
])
def test_pictures_of_to_char(picture: str, expected: str) -> None:
    assert to_char("2026-01-09 15:04:05", picture) == expected
