"""A person's words in the columns of a table: found in the first and in the last of many, and none over a seam."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tieout.erasure import tables
from tieout.erasure.words import Words
from tieout.warehouse import connect

WIDTH = 250
NAMES = tuple(f"c{n}" for n in range(WIDTH))
WORDS = Words(("Johanna Meyer", "4711", 'a "quoted" one'), "erased")
WIDE = tables.Table("intermediate", "erasure_wide", "tieout_transformer", NAMES, frozenset({"c7"}), frozenset(NAMES))


@pytest.fixture
def books(warehouse: dict[str, str]) -> Iterator[psycopg.Connection]:
    with connect("transformer") as connection:
        kinds = ", ".join(f"{name} {'jsonb' if name in WIDE.json else 'text'}" for name in NAMES)
        connection.execute(f"create table intermediate.erasure_wide ({kinds})")
        yield connection
        connection.rollback()


def insert(books: psycopg.Connection, **said: str) -> None:
    books.execute(f"insert into intermediate.erasure_wide ({', '.join(said)}) values "
                  f"({', '.join(['%s'] * len(said))})", tuple(said.values()))


@pytest.mark.parametrize("said", [
    {"c0": "to johanna  MEYER, Berlin"}, {f"c{WIDTH - 1}": "Johanna Meyer"}, {"c89": "x4711y"}, {"c90": "4711"},
    {"c3": "1", "c4": "4711", "c5": "2"}, {"c8": json.dumps({"who": 'a "quoted" one'})},
    {"c7": json.dumps({"who": 'A "quoted" one'})},
])
def test_a_word_is_found_wherever_it_stands_and_hidden(books: psycopg.Connection, said: dict[str, str]) -> None:
    insert(books, **said)
    assert tables.holding(books, WIDE, WORDS) == 1
    assert tables.sweep(books, WIDE, WORDS) == 1
    assert tables.holding(books, WIDE, WORDS) == 0
    (text,) = books.execute("select t::text from intermediate.erasure_wide t").fetchone()
    assert "erased" in text and "4711" not in text and "ohanna" not in text


@pytest.mark.parametrize("said", [
    {"c0": "Johanna", "c1": "Meyer"}, {"c89": "Johanna ", "c90": " Meyer"}, {"c0": "14711"}, {"c0": "47", "c1": "11"},
])
def test_no_word_goes_over_a_seam(books: psycopg.Connection, said: dict[str, str]) -> None:
    insert(books, **said)
    assert tables.holding(books, WIDE, WORDS) == 0 and tables.sweep(books, WIDE, WORDS) == 0
